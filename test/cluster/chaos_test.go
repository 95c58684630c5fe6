package cluster

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/game-im/hermod/test/process"
)

// TestA1A8ThreeNodesUnderChaos has people talk over three nodes, and services push to them, while nodes are killed one
// after another and restarted, the engine is restarted twice, and the links of nodes to the engine and to the database
// are cut. Every acknowledged message is in its room's log once, without holes; everybody has heard all of it, once and
// in its order; and every push has one outcome, which is what its target saw.
func TestA1A8ThreeNodesUnderChaos(t *testing.T) {
	for _, kind := range []string{"nats", "redis"} {
		t.Run(kind, func(t *testing.T) { chaos(t, kind) })
	}
}

func chaos(t *testing.T, kind string) {
	seed := seedOf(t)
	s := open(t, kind, 3)
	c := gather(s, seed, number(t, "HERMOD_TEST_CHAOS_CLIENTS", 30))
	c.begin(500*time.Millisecond, 50*time.Millisecond)
	c.talkOn()
	b := &blows{s: s, rng: rand.New(rand.NewPCG(seed, 0)), count: map[string]int{}}
	b.fall(duration(t, "HERMOD_TEST_CHAOS", 40*time.Second), duration(t, "HERMOD_TEST_CHAOS_EVERY", 10*time.Second))
	s.together()
	c.talkOn()
	c.settle()
	c.audit()
	t.Logf("blows: %v", b.count)
}

// blows fall on a scene.
type blows struct {
	s     *scene
	rng   *rand.Rand
	count map[string]int
}

// fall kills a node at each beat, starts it again, and cuts links in between. The engine is restarted after a third and
// after two thirds of the time.
func (b *blows) fall(lasts, every time.Duration) {
	b.s.t.Helper()
	ctx, end := context.WithTimeout(b.s.t.Context(), lasts)
	defer end()
	began, restarts, first := time.Now(), 0, b.rng.IntN(len(b.s.nodes))
	for beat := 0; doze(ctx, every/4+time.Duration(b.rng.Int64N(int64(every/4)))); beat++ {
		victim := b.s.nodes[(first+beat)%len(b.s.nodes)] // in turn, since clients stay where they have fled to
		b.count["node killed"]++
		victim.Kill()
		b.link(ctx)
		victim.Spawn()
		b.ready(victim)
		if due := int(3 * time.Since(began) / lasts); restarts < due && restarts < 2 {
			restarts++
			b.engine(ctx)
		}
		doze(ctx, every/4)
		b.link(ctx)
	}
	for ; restarts < 2; restarts++ {
		b.engine(b.s.t.Context())
	}
}

func (b *blows) ready(n *node) {
	b.s.t.Helper()
	process.Eventually(b.s.t, patience, "the node that was killed is ready again", func() bool {
		if n.Ended() {
			b.s.t.Fatalf("the node has ended:\n%s", n.Log())
		}
		return n.Ready()
	})
}

// engine restarts the engine.
func (b *blows) engine(ctx context.Context) {
	if b.s.engine.stop == nil {
		return
	}
	b.count["engine restarted"]++
	b.s.engine.stop()
	doze(ctx, time.Duration(b.rng.Int64N(int64(3*time.Second))))
	b.s.engine.restart()
}

// link breaks the network between a node and the engine, or the database, and mends it again.
func (b *blows) link(ctx context.Context) {
	n := b.s.nodes[b.rng.IntN(len(b.s.nodes))]
	link, name := n.toStore, "database"
	if n.toEngine != nil && b.rng.IntN(2) == 0 {
		link, name = n.toEngine, "engine"
	}
	lasts := time.Duration(b.rng.Int64N(int64(3 * time.Second)))
	switch b.rng.IntN(4) {
	case 0:
		b.count[name+" silent"]++
		link.Silence()
		doze(ctx, lasts)
		link.Restore()
		link.Cut() // or whoever waits for an answer waits as long as his patience lasts
	case 1:
		b.count[name+" refused"]++
		link.Refuse()
		doze(ctx, lasts)
		link.Restore()
	case 2:
		b.count[name+" slow"]++
		link.Lag(100 * time.Millisecond)
		doze(ctx, lasts)
		link.Restore()
	default:
		b.count[name+" cut"]++
		link.Cut()
	}
}
