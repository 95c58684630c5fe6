// Package brokertest is the conformance suite of brokers: what a node expects of whatever carries its
// publications. A test of an implementation is one call of Run, or of RunCluster when there can be
// several nodes, which has the same under faults.
//
// Subtests run in parallel, each on a cluster of its own. Nothing in here sleeps to be sure that
// something does not come: it publishes what must come behind it.
package brokertest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// patience is how long anything may take that has to happen.
const patience = 60 * time.Second

// Starter starts what one test needs, such as a server, and returns a function that makes a node's
// broker on it, neither attached nor running. It has the test clean up.
type Starter func(t *testing.T) func() broker.Broker

// Buses does the same for the engine of a cluster's nodes.
type Buses func(t *testing.T) func() cluster.Bus

// Run runs what holds for every broker.
func Run(t *testing.T, start Starter) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Starter){
		"Subscribe":             subscribe,
		"SubscribeAgain":        subscribeAgain,
		"Unsubscribe":           unsubscribe,
		"Channels":              channels,
		"Fields":                fields,
		"Order":                 order,
		"Origin":                origin,
		"Together":              together,
		"Churn":                 churn,
		"RunEndsWithItsContext": runEnds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

// RunCluster runs what holds for the brokers of several nodes, Run included.
func RunCluster(t *testing.T, buses Buses) {
	t.Helper()
	start := OnBuses(buses, cluster.Options{})
	Run(t, start)
	for name, test := range map[string]func(*testing.T, Starter){
		"EveryNode":        everyNode,
		"EveryField":       everyField,
		"TogetherAcross":   togetherAcross,
		"ManyNames":        manyNames,
		"Members":          membership,
		"AskAChannel":      askChannel,
		"AskANode":         askNode,
		"AskEveryNode":     askEveryNode,
		"AskNobody":        askNobody,
		"Tell":             tell,
		"AskAMute":         askMute,
		"TooLarge":         tooLarge,
		"SentBeforeTheEnd": sentBeforeTheEnd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
	t.Run("SlowNode", func(t *testing.T) {
		t.Parallel()
		slowNode(t, buses)
	})
	t.Run("UnderFaults", func(t *testing.T) {
		t.Parallel()
		underFaults(t, buses)
	})
	t.Run("AskUnderFaults", func(t *testing.T) {
		t.Parallel()
		askUnderFaults(t, buses)
	})
}

var boots atomic.Int64

// OnBuses makes brokers of a cluster's nodes; opt's missing parts are filled.
func OnBuses(buses Buses, opt cluster.Options) Starter {
	return func(t *testing.T) func() broker.Broker {
		create := buses(t)
		name := fmt.Sprint("test", boots.Add(1))
		return func() broker.Broker {
			o := opt
			o.Name = name
			o.Self.ID = fmt.Sprint("node", boots.Add(1))
			o.Self.Info = []byte("info of " + o.Self.ID)
			o.Codec = Numbers{}
			o.Log = slog.New(slog.DiscardHandler)
			if o.Heads == 0 {
				o.Heads = time.Hour // a test that counts what comes is not told twice
			}
			b, err := cluster.New(create(), o)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
}

// Numbers is a codec of payloads that are ints.
type Numbers struct{}

// Append implements cluster.Codec.
func (Numbers) Append(dst []byte, payload any) ([]byte, error) {
	switch p := payload.(type) {
	case int:
		return binary.AppendVarint(dst, int64(p)), nil
	case []byte: // something large
		return append(binary.AppendVarint(dst, -1), p...), nil
	}
	return nil, fmt.Errorf("not a number: %v", payload)
}

// Own implements cluster.Codec.
func (Numbers) Own(any) (any, bool) { return nil, false }

// Decode implements cluster.Codec.
func (Numbers) Decode(b []byte) (any, error) {
	v, n := binary.Varint(b)
	switch {
	case n > 0 && v == -1:
		return append([]byte{}, b[n:]...), nil
	case n != len(b) || n <= 0:
		return nil, errors.New("not a number")
	}
	return int(v), nil
}

// node is a broker that runs, with a record of what arrived.
type node struct {
	broker.Broker
	t   *testing.T
	got chan *frame.Publication
	// batches is how often publications came together.
	batches atomic.Int64
	stop    context.CancelFunc
	done    chan error

	mu      sync.Mutex
	here    map[string]broker.Member
	changes int
	change  chan struct{} // holds one
	missed  chan string
	request func(broker.Request)
}

// start makes running nodes on one cluster that know each other. They stop with the test.
func start(t *testing.T, s Starter, count int) []*node {
	t.Helper()
	create := s(t)
	nodes := make([]*node, count)
	for i := range nodes {
		nodes[i] = run(t, create())
	}
	for _, n := range nodes {
		n.await(count - 1)
	}
	return nodes
}

func run(t *testing.T, b broker.Broker) *node { return runWith(t, b, nil, nil) }

// runWith has others take what comes.
func runWith(t *testing.T, b broker.Broker, take func(*frame.Publication), missed func(string)) *node {
	n := &node{
		Broker: b, t: t, got: make(chan *frame.Publication, 1<<16), done: make(chan error, 1),
		here: make(map[string]broker.Member), change: make(chan struct{}, 1), missed: make(chan string, 1<<16),
	}
	if take == nil {
		take = func(p *frame.Publication) { n.got <- p }
	}
	if missed == nil {
		missed = func(channel string) { n.missed <- channel }
	}
	n.Attach(broker.Handlers{
		Publication: take,
		Publications: func(ps []*frame.Publication) {
			n.batches.Add(1)
			for _, p := range ps {
				take(p)
			}
		},
		Missed:  missed,
		Request: n.asked,
		Member:  n.changed,
	})
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() { n.done <- n.Run(ctx) }()
	t.Cleanup(n.end)
	return n
}

func (n *node) asked(r broker.Request) {
	n.mu.Lock()
	answer := n.request
	n.mu.Unlock()
	if answer != nil {
		answer(r)
	}
}

// answers sets what the node does with requests.
func (n *node) answers(f func(broker.Request)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.request = f
}

func (n *node) changed(m broker.Member, here bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changes++
	if _, was := n.here[m.ID]; was == here {
		n.t.Errorf("told again that %s is here: %v", m.ID, here)
	}
	if here {
		n.here[m.ID] = m
	} else {
		delete(n.here, m.ID)
	}
	select {
	case n.change <- struct{}{}:
	default:
	}
}

// await waits until the node knows as many others.
func (n *node) await(count int) {
	n.t.Helper()
	deadline := time.After(patience)
	for {
		n.mu.Lock()
		have := len(n.here)
		n.mu.Unlock()
		if have == count {
			return
		}
		select {
		case <-n.change:
		case <-deadline:
			n.t.Fatalf("knows %d other nodes, want %d", have, count)
		}
	}
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
