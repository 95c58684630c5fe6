package cluster

import (
	"testing"
	"time"
)

// routeWithin is how long a client may have no connection while nodes are restarted one after another: the moment that
// the node asks it to wait, and an attempt or two.
const routeWithin = 15 * time.Second

// TestRollingRestarts restarts three nodes one after another, in an orderly way, while people talk over them and services
// push. Nothing that was acknowledged is lost, nothing comes twice, and nobody is without a connection for long.
func TestRollingRestarts(t *testing.T) {
	for _, kind := range []string{"nats", "redis"} {
		t.Run(kind, func(t *testing.T) { rolling(t, kind) })
	}
}

func rolling(t *testing.T, kind string) {
	s := open(t, kind, 3)
	c := gather(s, seedOf(t), number(t, "HERMOD_TEST_CHAOS_CLIENTS", 30))
	c.begin(300*time.Millisecond, 50*time.Millisecond)
	c.talkOn()
	for i := range number(t, "HERMOD_TEST_ROLLING", 2*len(s.nodes)) {
		s.nodes[i%len(s.nodes)].Restart()
		s.together()
		c.talkOn()
	}
	c.settle()
	c.audit()
	if away, _ := c.longest(); away > routeWithin {
		t.Errorf("somebody had no connection for %s; %s is allowed", away, routeWithin)
	}
}
