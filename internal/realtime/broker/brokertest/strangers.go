package brokertest

import (
	"errors"
	"testing"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

// RunStrangers has two nodes meet by the good buses while one with a bad bus, which the engine does not
// let in, is alone; its Subscribe and Publish go on all the same.
func RunStrangers(t *testing.T, good, bad func() cluster.Bus) {
	t.Helper()
	name := OnBuses(func(*testing.T) func() cluster.Bus {
		made := 0
		return func() cluster.Bus {
			if made++; made == 1 {
				return bad()
			}
			return good()
		}
	}, cluster.Options{})(t)
	stranger := run(t, name())
	stranger.subscribe("a")
	nodes := []*node{run(t, name()), run(t, name())}
	for _, n := range nodes {
		n.await(1)
	}
	nodes[1].subscribe("a")
	settle("a", nodes[:1], nodes[1:])
	stranger.publish(item("a", 1))
	stranger.want("a", 1)
	nodes[0].publish(item("a", 2))
	nodes[1].want("a", 2)
	if _, err := stranger.ask(broker.EveryNode, "?"); !errors.Is(err, broker.ErrDown) {
		t.Errorf("a stranger asks: %v", err)
	}
	if n := len(stranger.Broker.(broker.Directory).Members()); n != 0 {
		t.Errorf("a stranger knows %d nodes", n)
	}
}
