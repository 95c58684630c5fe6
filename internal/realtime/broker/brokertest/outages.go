package brokertest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// Engine is a server that a test may take away.
type Engine interface {
	Stop()    // cuts it off
	Restart() // brings it back, without what it knew
}

// Staller is a server, or a way to it, that a test may have stand still without closing anything.
type Staller interface {
	Pause()
	Continue()
}

// RunOutage takes the engine away twice and brings it back. It may be used by nobody else.
func RunOutage(t *testing.T, buses Buses, engine Engine) {
	t.Helper()
	nodes := start(t, OnBuses(buses, cluster.Options{Hello: 50 * time.Millisecond, Expiry: 2 * time.Second}), 2)
	nodes[1].subscribe("a")
	settle("a", nodes[:1], nodes[1:])
	for round := range 2 {
		drainMissed(nodes...)
		engine.Stop()
		nodes[0].awaitDown()
		// Neither publishing nor subscribing waits for the engine, and this node has what it publishes.
		const many = 10_000
		nodes[0].subscribe("here")
		nodes[1].subscribe(fmt.Sprint("later", round))
		for seq := range int64(many) {
			nodes[0].publish(item("here", seq+1))
			nodes[0].publish(item("a", seq+1))
		}
		for seq := range int64(many) {
			nodes[0].want("here", seq+1)
		}
		nodes[0].unsubscribe("here")
		engine.Restart()
		for _, n := range nodes {
			n.awaitMissed()
		}
		settle("a", nodes[:1], nodes[1:])
		settle(fmt.Sprint("later", round), nodes[:1], nodes[1:])
		nodes[0].publish(item("a", many+1))
		nodes[1].want("a", many+1)
		for _, n := range nodes {
			n.await(1)
		}
	}
	for _, n := range nodes { // an outage makes nobody come or go
		n.mu.Lock()
		if n.changes != 1 {
			t.Errorf("%d changes of who is there", n.changes)
		}
		n.mu.Unlock()
	}
}

// RunLateEngine has nodes start before their engine.
func RunLateEngine(t *testing.T, buses Buses, engine Engine) {
	t.Helper()
	engine.Stop()
	create := OnBuses(buses, cluster.Options{})(t)
	nodes := []*node{run(t, create()), run(t, create())}
	nodes[1].subscribe("a")
	nodes[0].publish(item("a", 1))
	engine.Restart()
	nodes[1].awaitMissed()
	for _, n := range nodes {
		n.await(1)
	}
	settle("a", nodes[:1], nodes[1:])
	nodes[0].publish(item("a", 2))
	nodes[1].want("a", 2)
}

// RunStall has the engine stand still: who publishes goes on, what there is no room for is dropped, and
// the others are told.
func RunStall(t *testing.T, buses Buses, engine Staller) {
	t.Helper()
	const most = 256 << 10
	nodes := start(t, OnBuses(buses, cluster.Options{
		OutboxBytes: most, Hello: 50 * time.Millisecond, Expiry: 2 * time.Second,
	}), 2)
	nodes[1].subscribe("a")
	settle("a", nodes[:1], nodes[1:])
	drainMissed(nodes...)
	engine.Pause()
	large := make([]byte, 16<<10)
	for range 64 << 20 / len(large) {
		nodes[0].publish(&frame.Publication{Channel: "a", Frame: frame.New(large)})
	}
	engine.Continue()
	for missed := false; !missed; {
		select {
		case channel := <-nodes[1].missed:
			missed = channel == "" || channel == "a"
		case <-nodes[1].got:
		case <-time.After(patience):
			t.Fatal("what was dropped was not told")
		}
	}
	settle("a", nodes[:1], nodes[1:])
	nodes[0].publish(item("a", 1))
	nodes[1].want("a", 1)
}

// awaitDown waits until the node knows that it has no engine.
func (n *node) awaitDown() {
	n.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := n.ask(broker.EveryNode, "?"); errors.Is(err, broker.ErrDown) {
			return
		}
	}
	n.t.Fatal("the engine is gone and the node does not know")
}

func (n *node) awaitMissed() {
	n.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case got := <-n.missed:
			if got == "" { // of every channel
				return
			}
		case <-deadline:
			n.t.Fatal("not told that something of all channels may be missing")
		}
	}
}

func drainMissed(nodes ...*node) {
	for _, n := range nodes {
		for len(n.missed) > 0 {
			<-n.missed
		}
	}
}

// slowNode: a node that takes nothing holds up neither publishers nor others, and is told afterwards.
func slowNode(t *testing.T, buses Buses) {
	create := OnBuses(buses, cluster.Options{InboxBytes: 64 << 10, Lanes: 1})(t)
	gate := make(chan struct{})
	var once sync.Once
	open := func() { once.Do(func() { close(gate) }) }
	fast, publisher := run(t, create()), run(t, create())
	slow := runWith(t, create(), func(*frame.Publication) { <-gate }, nil)
	t.Cleanup(open)
	for _, n := range []*node{fast, publisher, slow} {
		n.await(2)
	}
	fast.subscribe("a")
	settle("a", []*node{publisher}, []*node{fast})
	slow.subscribe("a")
	drainMissed(slow)
	const count, size = 500, 1 << 10
	for seq := range int64(count) {
		publisher.publish(&frame.Publication{Channel: "a", Seq: seq + 1, Frame: frame.New(make([]byte, size))})
		fast.want("a", seq+1)
	}
	open()
	slow.awaitMissed()
}

// What a node has in a storm.
const (
	stormRooms = 10_000
	stormUsers = 100_000
)

// Storm has one node follow 10,000 rooms and 100,000 users at once, and logs what that takes; then again
// when the engine comes back, if it can be taken away.
func Storm(t *testing.T, buses Buses, engine Engine) {
	nodes := start(t, OnBuses(buses, cluster.Options{SubscribeWait: patience}), 2)
	heap := heapBytes()
	began := time.Now()
	const workers = 256 // sessions that come at the same time
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < stormRooms+stormUsers; i += workers {
				nodes[1].subscribe(stormName(i))
			}
		})
	}
	wg.Wait()
	t.Logf("%d subscriptions in %v, %d bytes each in this process", stormRooms+stormUsers, time.Since(began).Round(time.Millisecond),
		(heapBytes()-heap)/(stormRooms+stormUsers))
	last := stormName(stormRooms + stormUsers - 1)
	settle(last, nodes[:1], nodes[1:])
	if engine == nil {
		return
	}
	drainMissed(nodes...)
	engine.Stop()
	nodes[1].awaitDown()
	engine.Restart()
	began = time.Now()
	nodes[1].awaitMissed()
	t.Logf("followed again %v after the engine was back", time.Since(began).Round(time.Millisecond))
	settle(last, nodes[:1], nodes[1:])
}

func stormName(i int) string {
	if i < stormRooms {
		return fmt.Sprint("room:", i)
	}
	return fmt.Sprint("user:", i)
}

func heapBytes() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
