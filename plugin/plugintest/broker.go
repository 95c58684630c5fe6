package plugintest

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/plugin"
)

const (
	// busPatience is how long a bus may take to connect, or to bring what is sent again and again.
	busPatience = 30 * time.Second
	// resend is how often something is sent that may be lost.
	resend = 20 * time.Millisecond
	// largeMessage is what a bus brings at least, unless it says otherwise.
	largeMessage = 256 << 10
)

// Broker checks the buses of a broker that works. join is called once for each test, and what it returns for
// each node: it makes the bus of one more node of a cluster. No subject is used by two tests.
//
// Since a bus may lose, repeat, reorder and delay, everything is sent until it arrives.
func Broker(t *testing.T, join func(t *testing.T) func() plugin.Bus) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, func() *busNode){
		"who follows receives":       busFollow,
		"followed before it runs":    busFollowEarly,
		"left":                       busLeave,
		"large, and any bytes":       busLarge,
		"many subjects":              busMany,
		"an ask that nobody follows": busAsk,
		"down before it runs":        busDown,
		"ends":                       busEnds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := join(t)
			test(t, func() *busNode { return newBusNode(t, next()) })
		})
	}
}

// busNode is a node with a bus, and what it was told.
type busNode struct {
	plugin.Bus
	t         *testing.T
	stop      context.CancelFunc
	ended     chan error
	connected chan struct{} // has one as soon as it is
	mu        sync.Mutex
	up, over  bool
	got       map[string][][]byte // by subject
	reached   map[uint64]int
	news      chan struct{}
}

func newBusNode(t *testing.T, b plugin.Bus) *busNode {
	return &busNode{
		Bus: b, t: t, ended: make(chan error, 1), connected: make(chan struct{}, 1),
		got: map[string][][]byte{}, reached: map[uint64]int{}, news: make(chan struct{}, 1),
	}
}

// run runs the bus until the test ends, and waits until it is connected.
func (n *busNode) run() *busNode {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() { n.ended <- n.Run(ctx, n) }()
	n.t.Cleanup(n.end)
	select {
	case <-n.connected:
	case <-time.After(busPatience):
		n.t.Fatal("not connected in time")
	}
	return n
}

// end stops the bus. It may be called again.
func (n *busNode) end() {
	n.stop()
	select {
	case err := <-n.ended:
		n.ended <- nil
		if err != nil {
			n.t.Errorf("Run: %v", err)
		}
	case <-time.After(busPatience):
		n.t.Error("Run goes on without its context")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
}

// told notes something that the bus says.
func (n *busNode) told(note func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		n.t.Error("the bus says something after Run has returned")
		return
	}
	note()
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// Receive implements plugin.BusSink. It keeps what it is given, and no copy.
func (n *busNode) Receive(subject string, data []byte) {
	n.told(func() { n.got[subject] = append(n.got[subject], data) })
}

// Reached implements plugin.BusSink.
func (n *busNode) Reached(ask uint64, others int) { n.told(func() { n.reached[ask] = others }) }

// Connected implements plugin.BusSink.
func (n *busNode) Connected() {
	n.told(func() {
		if n.up {
			n.t.Error("connected twice, and not disconnected in between")
		}
		n.up = true
	})
	select {
	case n.connected <- struct{}{}:
	default:
	}
}

// Disconnected implements plugin.BusSink.
func (n *busNode) Disconnected(error) {
	n.told(func() {
		if !n.up {
			n.t.Error("disconnected, and was not connected")
		}
		n.up = false
	})
}

// Dropped implements plugin.BusSink.
func (n *busNode) Dropped(int) { n.told(func() {}) }

func (n *busNode) follow(subjects ...string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), busPatience)
	defer cancel()
	if err := n.Follow(ctx, subjects); err != nil {
		n.t.Fatalf("follow: %v", err)
	}
}

// last returns what came last under a subject, and how much came.
func (n *busNode) last(subject string) (data []byte, count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.got[subject]
	if len(all) == 0 {
		return nil, 0
	}
	return all[len(all)-1], len(all)
}

// deliver sends messages again and again until all have come to a node. It sends copies, so that whoever
// changes what he has received is found.
func (n *busNode) deliver(to *busNode, messages ...plugin.BusMessage) {
	n.t.Helper()
	deadline := time.After(busPatience)
	for {
		batch := make([]plugin.BusMessage, len(messages))
		for i, m := range messages {
			batch[i] = plugin.BusMessage{Subject: m.Subject, Data: bytes.Clone(m.Data)}
		}
		failed := n.Send(n.t.Context(), batch)
		select {
		case <-to.news:
		case <-time.After(resend):
		case <-deadline:
			n.t.Fatalf("nothing arrives; the last Send says %v", failed)
		}
		missing := false
		for _, m := range messages {
			got, count := to.last(m.Subject)
			missing = missing || count == 0
			if count > 0 && !bytes.Equal(got, m.Data) {
				n.t.Fatalf("%d bytes arrived as %d others", len(m.Data), len(got))
			}
		}
		if !missing {
			return
		}
	}
}
