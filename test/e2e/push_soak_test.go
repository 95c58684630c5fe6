package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/upstream"
)

// ledger is what the services were told of their pushes.
type ledger struct {
	mu       sync.Mutex
	targets  map[upstream.Status]int
	unicasts []ledgerEntry
	all      map[string]upstream.Progress // broadcasts by id
	repeats  int
}

// ledgerEntry is one target of one push.
type ledgerEntry struct {
	id     string
	user   int
	status upstream.Status
	waited bool
	stored bool
}

func (l *ledger) add(entries ...ledgerEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		l.targets[e.status]++
		if e.user >= 0 {
			l.unicasts = append(l.unicasts, e)
		}
	}
}

// soakService pushes to the crowd in every way.
type soakService struct {
	t      *testing.T
	name   string
	c      *upstream.UnicastClient
	crowd  []*drifter
	ledger *ledger
	n      int
}

// run pushes until ctx ends, and each way once however slow the machine is.
func (s *soakService) run(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ; s.n < 20 || ctx.Err() == nil; <-tick.C {
		s.n++
		id := fmt.Sprintf("%s-%d", s.name, s.n)
		switch p := rand.N(100); {
		case p < 2 || s.n == 1:
			s.broadcast(id)
		case p < 3 || s.n == 2:
			s.pace(id)
		case p < 30 || s.n == 3:
			s.batch(id)
		default:
			s.single(id)
		}
	}
}

// target draws somebody, in one of three ways; -1 is nobody.
func (s *soakService) target() (upstream.Target, int) {
	user := rand.N(len(s.crowd))
	switch rand.N(10) {
	case 0:
		return upstream.OpenID("nobody"), -1
	case 1, 2, 3:
		return upstream.GID(int64(soakUser + user)), user
	case 4, 5, 6:
		if id := s.crowd[user].sessionID(); id != "" {
			return upstream.Session(id), user
		}
	}
	return upstream.OpenID(strconv.Itoa(soakUser + user)), user
}

func soakNote(id string) upstream.Notification {
	return upstream.Notification{MsgType: "soak", Data: []byte(id)}
}

func (s *soakService) single(id string) {
	to, user := s.target()
	e := ledgerEntry{id: id, user: user, waited: rand.N(8) == 0, stored: rand.N(4) == 0}
	var opts []upstream.CallOption
	if e.waited {
		opts = append(opts, upstream.WaitForAck(3*time.Second))
	}
	if e.stored {
		opts = append(opts, upstream.StoreOffline())
	}
	repeat := rand.N(10) == 0
	if repeat {
		opts = append(opts, upstream.IdempotencyKey(id))
	}
	o, err := s.c.Push(context.Background(), to, soakNote(id), opts...)
	e.status = s.outcome(o.Status, err)
	s.ledger.add(e)
	if !repeat {
		return
	}
	again, err := s.c.Push(context.Background(), to, soakNote(id), opts...)
	if status := s.outcome(again.Status, err); status != e.status {
		s.t.Errorf("%s: %s at first and %s when repeated", id, e.status, status)
	}
	s.ledger.mu.Lock()
	s.ledger.repeats++
	s.ledger.mu.Unlock()
}

func (s *soakService) outcome(status upstream.Status, err error) upstream.Status {
	if _, refused := errors.AsType[*upstream.PushError](err); err != nil && !refused {
		s.t.Errorf("%s: a call failed: %v", s.name, err)
	}
	return status
}

func (s *soakService) batch(id string) {
	stored := rand.N(4) == 0
	var opts []upstream.CallOption
	if stored {
		opts = append(opts, upstream.StoreOffline())
	}
	drawn := map[int]bool{}
	var to []upstream.Target
	var entries []ledgerEntry
	for range 10 + rand.N(90) {
		target, user := s.target()
		if user >= 0 && drawn[user] {
			continue // so that whoever gets it twice was pushed to twice by mistake
		}
		drawn[user] = true
		to = append(to, target)
		entries = append(entries, ledgerEntry{id: id, user: user, stored: stored})
	}
	results, err := s.c.PushBatch(context.Background(), to, soakNote(id), opts...)
	if err != nil || len(results) != len(to) {
		s.t.Errorf("%s: %d results of %d targets, %v", id, len(results), len(to), err)
		return
	}
	for i, r := range results {
		if r.Target != to[i] {
			s.t.Errorf("%s: result %d is of %v, want %v", id, i, r.Target, to[i])
		}
		entries[i].status = s.outcome(r.Outcome.Status, r.Err)
	}
	s.ledger.add(entries...)
}

func (s *soakService) broadcast(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	gw, err := s.c.Broadcast(ctx, soakNote(id))
	if err != nil {
		s.t.Errorf("%s: %v", id, err)
		return
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	s.ledger.all[id] = upstream.Progress{Sent: gw, Total: -1}
}

func (s *soakService) pace(id string) {
	var last upstream.Progress
	got, err := s.c.PaceBroadcast(context.Background(), soakNote(id), 2*len(s.crowd), func(p upstream.Progress) {
		if p.Sent < last.Sent || p.Remaining < 0 || p.Sent+p.Queued+p.Slow+p.Skipped+p.Expired+p.Remaining != p.Total {
			s.t.Errorf("%s: %+v after %+v", id, p, last)
		}
		last = p
	})
	if err != nil || got.Remaining != 0 {
		s.t.Errorf("%s: %+v, %v", id, got, err)
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	s.ledger.all[id] = got
}

// TestA8PushSoak has five services push to a crowd by all three kinds of target, singly, in batches and to
// everybody, while sessions come, go and move between transports. Every target has one outcome, the
// node's counts are those of the services, and both are what the clients saw.
func TestA8PushSoak(t *testing.T) {
	size := 1000
	if raceDetector {
		size = 300
	}
	quicAddr := freeAddr(t)
	n := Start(t, "session:\n  queue_bytes: 4MiB\npush:\n  inbox_per_user: 100000\n", "-quic", quicAddr)
	roads := newRoads(t, n, quicAddr)
	crowd := make([]*drifter, size)
	var all sync.WaitGroup
	living, stop := context.WithCancel(t.Context())
	defer stop()
	arrived := make(chan struct{}, size)
	for i := range crowd {
		crowd[i] = &drifter{t: t, roads: roads, openid: strconv.Itoa(soakUser + i), leaves: i%4 == 0, seen: map[string]int{}}
		all.Go(func() { crowd[i].live(living, arrived) })
	}
	for range crowd {
		<-arrived
	}
	book := &ledger{targets: map[upstream.Status]int{}, all: map[string]upstream.Progress{}}
	lasts, _ := timeOf(t, "HERMOD_TEST_PUSH_SOAK", 8*time.Second)
	pushing, cease := context.WithTimeout(t.Context(), lasts)
	defer cease()
	var services sync.WaitGroup
	for i := range 5 {
		s := &soakService{t: t, name: fmt.Sprint("service", i), c: n.Upstream(), crowd: crowd, ledger: book}
		services.Go(func() { s.run(pushing) })
	}
	services.Wait()
	stop() // each client makes sure that it is connected, and that it has everything
	all.Wait()
	if !t.Failed() {
		audit(t, n, book, crowd)
	}
}

// audit compares what services were told, what the node has counted, and what clients saw.
func audit(t *testing.T, n *Node, book *ledger, crowd []*drifter) {
	t.Helper()
	counted := map[upstream.Status]int{}
	for status, v := range n.outcomes() {
		counted[upstream.Status(status)] = v
	}
	if !maps.Equal(counted, book.targets) {
		t.Errorf("the node counts %v, the services %v", counted, book.targets)
	}
	if got := int(n.Metric("hermod_push_repeats_total")); got != book.repeats {
		t.Errorf("%d repeats are counted, want %d", got, book.repeats)
	}
	pushedTo := make([]map[string]bool, len(crowd))
	for i := range pushedTo {
		pushedTo[i] = map[string]bool{}
	}
	for _, e := range book.unicasts {
		pushedTo[e.user][e.id] = true
		e.check(t, crowd[e.user])
	}
	reached := 0
	for id, p := range book.all {
		saw := 0
		for _, d := range crowd {
			times := d.seen[id]
			saw += min(times, 1)
			if times > 1 || times == 0 && !d.leaves && p.Slow == 0 {
				t.Errorf("%s saw broadcast %s %d times", d.openid, id, times)
			}
		}
		reached += p.Sent
		if p.Total >= 0 && saw > p.Sent+p.Queued {
			t.Errorf("%d saw broadcast %s, which went to %+v", saw, id, p)
		}
	}
	if got := int(n.Metric("hermod_push_broadcast_sessions_total")); got != reached {
		t.Errorf("broadcasts were sent to %d by the node's count and to %d by that of the services", got, reached)
	}
	pushes, moves := 0, 0
	for i, d := range crowd {
		moves += d.moves
		for id := range d.seen {
			pushes++
			if _, broadcast := book.all[id]; !broadcast && !pushedTo[i][id] {
				t.Errorf("%s saw %q, which nobody pushed to him", d.openid, id)
			}
		}
	}
	t.Logf("%v, %d broadcasts, %d pushes seen by %d clients who moved %d times", book.targets, len(book.all), pushes, len(crowd), moves)
	if pushes == 0 || moves == 0 || book.targets[upstream.Delivered] == 0 || book.targets[upstream.Queued] == 0 || len(book.all) == 0 {
		t.Error("the soak has not soaked")
	}
}

// check holds an outcome against what its user saw. A client that ends its session by itself may miss what
// was on its way; one that only moves misses nothing.
func (e ledgerEntry) check(t *testing.T, d *drifter) {
	t.Helper()
	times := d.seen[e.id]
	must, most := !d.leaves, 1
	switch e.status {
	case upstream.Delivered:
		must = must || e.waited
	case upstream.Queued:
		if e.stored && e.waited {
			must, most = true, 2 // kept, since nobody had acknowledged it in time
		}
	case upstream.Unknown, upstream.Slow:
		must = false
	default:
		must, most = false, 0
	}
	if e.status == upstream.Slow {
		most = 0
	}
	if times > most || must && times == 0 {
		t.Errorf("%s saw %s %d times, which was %s (waited %v, stored %v, leaves %v)", d.openid, e.id, times, e.status, e.waited, e.stored, d.leaves)
	}
}
