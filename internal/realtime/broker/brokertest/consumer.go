package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// store is the truth of the rooms, as the database is: places in order, and what is at each.
type store struct {
	mu    sync.Mutex
	rooms map[string][]int
}

func (s *store) commit(room string, payload int) (seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms[room] = append(s.rooms[room], payload)
	return int64(len(s.rooms[room]))
}

func (s *store) after(room string, seq int64) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms[room][seq:]
}

// reader is a node that keeps rooms by the rules: a hint is taken when it is the next one, and for whatever
// else it reads the store; so it does when it is told that it missed something, and for heads that
// it hears of now and then.
type reader struct {
	store *store
	node  *node

	mu    sync.Mutex
	rooms map[string][]int
	bad   error
	reads int
	hints int
}

func (r *reader) take(p *frame.Publication) {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := int64(len(r.rooms[p.Channel]))
	switch {
	case p.Seq <= have:
	case p.Seq == have+1 && p.Frame != nil:
		r.hints++
		r.addLocked(p.Channel, p.Frame.Payload().(int))
	default:
		r.readLocked(p.Channel)
	}
}

func (r *reader) addLocked(room string, payload int) {
	if want := r.store.after(room, int64(len(r.rooms[room]))); len(want) == 0 || want[0] != payload {
		r.bad = fmt.Errorf("%s: %d in place %d", room, payload, len(r.rooms[room])+1)
	}
	r.rooms[room] = append(r.rooms[room], payload)
}

func (r *reader) readLocked(room string) {
	r.reads++
	r.rooms[room] = append(r.rooms[room], r.store.after(room, int64(len(r.rooms[room])))...)
}

func (r *reader) missed(channel string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for room := range r.rooms {
		if channel == "" || channel == room {
			r.readLocked(room)
		}
	}
}

// complete tells whether the node has everything.
func (r *reader) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for room, have := range r.rooms {
		if len(r.store.after(room, int64(len(have)))) > 0 {
			return false
		}
	}
	return true
}

// underFaults has three nodes send in the same rooms over a bus that loses, repeats, delays and reorders.
// Every node ends with every room whole and in order; nothing but hints, Missed and heads was used.
func underFaults(t *testing.T, buses Buses) {
	const rooms, each = 5, 60
	var did done
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	makers := OnBuses(func(t *testing.T) func() cluster.Bus {
		create := buses(t)
		return func() cluster.Bus { seed++; return newFaulty(create(), harsh, seed, &did) }
	}, cluster.Options{Hello: 50 * time.Millisecond, Expiry: 2 * time.Second})(t)
	truth := &store{rooms: make(map[string][]int)}
	readers := make([]*reader, nodeCount)
	for i := range readers {
		readers[i] = startReader(t, makers(), truth, rooms)
	}
	for _, r := range readers {
		r.node.await(nodeCount - 1)
	}
	var wg sync.WaitGroup
	for i, r := range readers {
		wg.Go(func() {
			for k := range each * rooms {
				room := fmt.Sprint("room:", k%rooms)
				payload := i*each*rooms + k
				r.node.publish(&frame.Publication{Channel: room, Seq: truth.commit(room, payload), Frame: frame.New(payload)})
			}
		})
	}
	wg.Wait()
	awaitWhole(t, readers, rooms, each*nodeCount)
	for _, r := range readers {
		r.mu.Lock()
		if r.bad != nil {
			t.Error(r.bad)
		}
		t.Logf("%d hints were right, %d reads", r.hints, r.reads)
		r.mu.Unlock()
	}
	if did.lost.Load() == 0 || did.repeated.Load() == 0 || did.delayed.Load() == 0 {
		t.Errorf("nothing happened: %d lost, %d repeated, %d delayed", did.lost.Load(), did.repeated.Load(), did.delayed.Load())
	}
}

// awaitWhole tells heads, as nodes do with a slow tick, until every node has all of every room.
func awaitWhole(t *testing.T, readers []*reader, rooms int, head int64) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if !slices.ContainsFunc(readers, func(r *reader) bool { return !r.complete() }) {
			return
		}
		for i, r := range readers {
			for k := range rooms {
				r.node.publish(&frame.Publication{Channel: fmt.Sprint("room:", (k+i)%rooms), Seq: head})
			}
		}
	}
	t.Fatal("a room is not whole")
}

func startReader(t *testing.T, b broker.Broker, truth *store, rooms int) *reader {
	r := &reader{store: truth, rooms: make(map[string][]int)}
	for k := range rooms {
		r.rooms[fmt.Sprint("room:", k)] = nil
	}
	r.node = runWith(t, b, r.take, r.missed)
	for k := range rooms {
		r.node.subscribe(fmt.Sprint("room:", k))
	}
	return r
}

// askUnderFaults: a request over such a bus has the right answers of different nodes, or none.
func askUnderFaults(t *testing.T, buses Buses) {
	const asks = 60
	var did done
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	nodes := start(t, OnBuses(func(t *testing.T) func() cluster.Bus {
		create := buses(t)
		return func() cluster.Bus { seed++; return newFaulty(create(), harsh, seed, &did) }
	}, cluster.Options{Hello: 50 * time.Millisecond, Expiry: 2 * time.Second, AskTimeout: 200 * time.Millisecond}), nodeCount)
	for _, n := range nodes {
		n.answers(func(r broker.Request) { r.Answer(r.Body) })
	}
	whole := 0
	for k := range asks {
		seen := make(map[string]bool)
		want := fmt.Sprint(k)
		err := nodes[k%nodeCount].Broker.(broker.Asker).Ask(t.Context(), broker.EveryNode, []byte(want), func(a broker.Answer) bool {
			if string(a.Body) != want || seen[a.Node] {
				t.Errorf("ask %d: %q of %s, which answered before: %v", k, a.Body, a.Node, seen[a.Node])
			}
			seen[a.Node] = true
			return true
		})
		switch {
		case err == nil && len(seen) == nodeCount-1:
			whole++
		case err == nil, !errors.Is(err, context.DeadlineExceeded):
			t.Errorf("ask %d: %d answers, %v", k, len(seen), err)
		}
	}
	t.Logf("%d of %d answered by all", whole, asks)
	if whole == 0 || whole == asks {
		t.Errorf("%d of %d were answered by all: the faults are not as they should be", whole, asks)
	}
}
