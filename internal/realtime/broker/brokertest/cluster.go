package brokertest

import (
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/game-im/hermod/internal/realtime/frame"
)

func everyNode(t *testing.T, c Config) {
	nodes := start(t, c, c.Nodes)
	for _, n := range nodes[1:] {
		n.subscribe("a")
	}
	nodes[0].publish(item("a", 1)) // from a node that does not follow it
	for _, n := range nodes[1:] {
		n.want("a", 1)
	}
	nodes[0].subscribe("a")
	nodes[1].publish(item("a", 2))
	for _, n := range nodes {
		n.want("a", 2)
	}
}

// oneOrder publishes what has no seq from every node at once: all see it in the same order.
func oneOrder(t *testing.T, c Config) {
	const each = 100
	nodes := start(t, c, c.Nodes)
	for _, n := range nodes {
		n.subscribe("a")
	}
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			for k := range each {
				n.publish(&frame.Publication{Channel: "a", Frame: c.Frame(i*each + k)})
			}
		})
	}
	wg.Wait()
	orders := make([][]any, len(nodes))
	for i, n := range nodes {
		for range each * len(nodes) {
			orders[i] = append(orders[i], n.next().Frame.Payload())
		}
		if !slices.EqualFunc(orders[0], orders[i], reflect.DeepEqual) {
			t.Fatalf("nodes 0 and %d saw different orders", i)
		}
	}
}

// foreignOrigin: the session is on the publishing node alone.
func foreignOrigin(t *testing.T, c Config) {
	nodes := start(t, c, c.Nodes)
	nodes[0].publish(&frame.Publication{Channel: "a", Seq: 1, Origin: "session", Reply: c.Frame(1)})
	nodes[0].want("a", 1)
	for _, n := range nodes[1:] {
		n.subscribe("a")
		n.publish(item("a", 2))
		n.want("a", 2)
		n.unsubscribe("a")
	}
}
