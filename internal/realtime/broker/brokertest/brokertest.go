// Package brokertest is the conformance suite of broker.Broker: what a node expects of whatever
// carries its publications. A test of an implementation is one call of Run.
//
// Subtests run in parallel, each on a cluster of its own. Nothing in here sleeps to be sure that
// something does not come: it publishes what must come behind it.
package brokertest

import (
	"context"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// patience is how long anything may take that has to happen.
const patience = 20 * time.Second

// Config describes an implementation to the suite.
type Config struct {
	// Cluster starts what one test needs, such as a server, and returns a function that makes a
	// node's broker on it, neither attached nor running. It has the test clean up.
	Cluster func(t *testing.T) func() broker.Broker
	// Nodes is how many brokers a cluster may have; with one, what concerns several is left out.
	Nodes int
	// Frame makes different frames of different numbers, with payloads that the implementation can
	// carry and that compare with reflect.DeepEqual.
	Frame func(n int) *frame.Frame
}

// Run runs the suite.
func Run(t *testing.T, c Config) {
	t.Helper()
	tests := map[string]func(*testing.T, Config){
		"Subscribe":             subscribe,
		"SubscribeAgain":        subscribeAgain,
		"Unsubscribe":           unsubscribe,
		"Channels":              channels,
		"Fields":                fields,
		"Order":                 order,
		"Origin":                origin,
		"Churn":                 churn,
		"RunEndsWithItsContext": runEnds,
	}
	if c.Nodes > 1 {
		tests["EveryNode"] = everyNode
		tests["OneOrderForAll"] = oneOrder
		tests["OriginOfAnotherNode"] = foreignOrigin
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

// node is a broker that runs, with a record of what arrived.
type node struct {
	broker.Broker
	t    *testing.T
	got  chan *frame.Publication
	stop context.CancelFunc
	done chan error
}

// start makes running nodes on one cluster. They stop with the test.
func start(t *testing.T, c Config, count int) []*node {
	t.Helper()
	create := c.Cluster(t)
	nodes := make([]*node, count)
	for i := range nodes {
		n := &node{Broker: create(), t: t, got: make(chan *frame.Publication, 1<<16), done: make(chan error, 1)}
		n.Attach(func(p *frame.Publication) { n.got <- p })
		ctx, cancel := context.WithCancel(context.Background())
		n.stop = cancel
		go func() { n.done <- n.Run(ctx) }()
		t.Cleanup(n.end)
		nodes[i] = n
	}
	return nodes
}

// end stops a node. It may be called again.
func (n *node) end() {
	n.stop()
	select {
	case err := <-n.done:
		if err != nil {
			n.t.Errorf("Run: %v", err)
		}
		n.done <- nil
	case <-time.After(patience):
		n.t.Error("Run goes on without its context")
	}
}

func (n *node) subscribe(channel string) {
	n.t.Helper()
	if err := n.Subscribe(n.t.Context(), channel); err != nil {
		n.t.Fatalf("subscribe %q: %v", channel, err)
	}
}

func (n *node) unsubscribe(channel string) {
	n.t.Helper()
	if err := n.Unsubscribe(n.t.Context(), channel); err != nil {
		n.t.Fatalf("unsubscribe %q: %v", channel, err)
	}
}

func (n *node) publish(p *frame.Publication) {
	n.t.Helper()
	if err := n.Publish(n.t.Context(), p); err != nil {
		n.t.Errorf("publish %d on %q: %v", p.Seq, p.Channel, err)
	}
}

// next is what arrives next.
func (n *node) next() *frame.Publication {
	n.t.Helper()
	select {
	case p := <-n.got:
		return p
	case <-time.After(patience):
		n.t.Fatalf("nothing arrived within %v", patience)
		return nil
	}
}

// want fails unless exactly these seqs of a channel arrive next.
func (n *node) want(channel string, seqs ...int64) {
	n.t.Helper()
	for _, seq := range seqs {
		if p := n.next(); p.Channel != channel || p.Seq != seq {
			n.t.Fatalf("got %d on %q, want %d on %q", p.Seq, p.Channel, seq, channel)
		}
	}
}
