package biz_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// pushKeys is a biz.PushKeys in memory. It outlives the Pushes that use it, as a database does.
type pushKeys struct {
	mu        sync.Mutex
	records   map[biz.PushKey]*biz.PushRecord
	err       error // what Begin answers, if set
	unwritten bool  // answers are lost
}

func (k *pushKeys) Begin(ctx context.Context, key biz.PushKey, r biz.PushRecord) (*biz.PushRecord, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := errors.Join(k.err, ctx.Err()); err != nil {
		return nil, err
	}
	if earlier, ok := k.records[key]; ok {
		copied := *earlier
		return &copied, nil
	}
	k.records[key] = &r
	return nil, nil
}

func (k *pushKeys) Finish(ctx context.Context, key biz.PushKey, a biz.PushAnswer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.unwritten && ctx.Err() == nil {
		k.records[key].Answer = &a
	}
}

// restarted returns the scene after a restart of its node: what is stored is there, and nothing else.
func (s *pushScene) restarted() *pushScene {
	next := newPushScene()
	next.inbox, next.keys, next.outcomes = s.inbox, s.keys, s.outcomes
	rules := biz.PushRules{MaxBytes: maxPush, MaxTargets: 5, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 2, Bytes: 1 << 20}}
	next.pushes = biz.NewPushes(next.sessions, next.inbox, next.keys, rules)
	return next
}

func keyed(key string) biz.PushOptions { return biz.PushOptions{Key: key} }

var toAlice = biz.Target{Type: "openid", ID: "alice"}

// TestPushOncePerKey: the second request with a key pushes nothing and gets the first answer, whatever
// that was, and after a restart too.
func TestPushOncePerKey(t *testing.T) {
	t.Parallel()
	for _, outcome := range []biz.Outcome{biz.OutcomeDelivered, biz.OutcomeQueued, biz.OutcomeSlow, biz.OutcomeOffline, biz.OutcomeUnknown} {
		t.Run(outcome.String(), func(t *testing.T) {
			t.Parallel()
			s := newPushScene()
			s.outcomes["openid:alice"] = outcome
			first := s.pushes.Push(t.Context(), toAlice, &biz.Push{Title: "t"}, keyed("k"))
			if first.Outcome != outcome || first.Repeated {
				t.Fatalf("first: %+v", first)
			}
			s.outcomes["openid:alice"] = biz.OutcomeDelivered // had it been pushed again
			again := s.pushes.Push(t.Context(), toAlice, &biz.Push{Title: "t"}, keyed("k"))
			later := s.restarted()
			afterwards := later.pushes.Push(t.Context(), toAlice, &biz.Push{Title: "t"}, keyed("k"))
			first.Repeated = true
			if !reflect.DeepEqual(again, first) || !reflect.DeepEqual(afterwards, first) {
				t.Errorf("first %+v, again %+v, after a restart %+v", first, again, afterwards)
			}
			if n := len(s.sessions.pushes) + len(later.sessions.pushes); n != 1 {
				t.Errorf("pushed %d times", n)
			}
			other := s.pushes.Push(t.Context(), toAlice, &biz.Push{Title: "t"}, keyed("another"))
			if other.Repeated || len(s.sessions.pushes) != 2 {
				t.Errorf("under another key: %+v", other)
			}
		})
	}
}

func TestBatchAndBroadcastOncePerKey(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	s.outcomes["openid:alice"] = biz.OutcomeDelivered
	targets := []biz.Target{toAlice, {Type: "room", ID: "r"}, {Type: "session", ID: "none"}}
	first, err := s.pushes.Batch(t.Context(), targets, &biz.Push{}, keyed("batch"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.pushes.Batch(t.Context(), targets, &biz.Push{}, keyed("batch"))
	if err != nil || len(again) != len(first) || len(s.sessions.pushes) != 2 {
		t.Fatalf("%v, %v after %d pushes", again, err, len(s.sessions.pushes))
	}
	for i := range first {
		if !again[i].Repeated || again[i].Outcome != first[i].Outcome || again[i].Err != first[i].Err {
			t.Errorf("target %d: first %+v, again %+v", i, first[i], again[i])
		}
	}
	one, err := s.pushes.Broadcast(t.Context(), &biz.Push{}, keyed("all"))
	if err != nil || one.Repeated {
		t.Errorf("%+v, %v", one, err)
	}
	two, err := s.pushes.Broadcast(t.Context(), &biz.Push{}, keyed("all"))
	if err != nil || two != (biz.BroadcastResult{BroadcastCounts: one.BroadcastCounts, Repeated: true}) || len(s.seen) != 3 {
		t.Errorf("%+v, %v", two, err)
	}
}

// TestPushKeyConflicts: whatever differs from the first request is another one.
func TestPushKeyConflicts(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	first := biz.Push{MsgType: "m", Title: "t", Content: "c", Data: []byte("d"), Metadata: map[string]string{"k": "v", "a": "b"}}
	same := func() *biz.Push { p := first; p.Metadata = map[string]string{"a": "b", "k": "v"}; return &p }
	s.pushes.Push(t.Context(), toAlice, same(), keyed("k"))
	if got := s.pushes.Push(t.Context(), toAlice, same(), biz.PushOptions{Key: "k"}); !got.Repeated {
		t.Errorf("the same: %+v", got)
	}
	change := func(f func(*biz.Push)) *biz.Push { p := same(); f(p); return p }
	for name, test := range map[string]struct {
		t biz.Target
		p *biz.Push
		o biz.PushOptions
	}{
		"user":     {biz.Target{Type: "openid", ID: "bob"}, same(), keyed("k")},
		"kind":     {biz.Target{Type: "session", ID: "alice"}, same(), keyed("k")},
		"msg_type": {toAlice, change(func(p *biz.Push) { p.MsgType = "n" }), keyed("k")},
		"title":    {toAlice, change(func(p *biz.Push) { p.Title = "" }), keyed("k")},
		"where":    {toAlice, change(func(p *biz.Push) { p.Title, p.Content = "tc", "" }), keyed("k")},
		"data":     {toAlice, change(func(p *biz.Push) { p.Data = nil }), keyed("k")},
		"metadata": {toAlice, change(func(p *biz.Push) { p.Metadata["k"] = "w" }), keyed("k")},
		"more":     {toAlice, change(func(p *biz.Push) { p.Metadata["l"] = "" }), keyed("k")},
		"store":    {toAlice, same(), biz.PushOptions{Key: "k", StoreOffline: true}},
		"wait":     {toAlice, same(), biz.PushOptions{Key: "k", AckWithin: 1}},
		"bound":    {toAlice, same(), biz.PushOptions{Key: "k", Bound: "5"}},
	} {
		if got := s.pushes.Push(t.Context(), test.t, test.p, test.o); got.Outcome != biz.OutcomeRejected || got.Err == nil ||
			got.Err.Kind != biz.KindConflict || got.Err.Reason != "IDEMPOTENCY_CONFLICT" {
			t.Errorf("another %s: %+v", name, got)
		}
	}
	_, err := s.pushes.Batch(t.Context(), []biz.Target{toAlice}, same(), keyed("k"))
	wantError(t, err, biz.KindConflict, "IDEMPOTENCY_CONFLICT")
	_, err = s.pushes.Broadcast(t.Context(), same(), keyed("k"))
	wantError(t, err, biz.KindConflict, "IDEMPOTENCY_CONFLICT")
	if len(s.seen) != 1 {
		t.Errorf("%d pushes went out", len(s.seen))
	}
	// What another service calls k is none of this one's business.
	ctx := biz.WithIdentity(t.Context(), biz.Identity{Subject: "mail"})
	if got := s.pushes.Push(ctx, biz.Target{Type: "openid", ID: "bob"}, same(), keyed("k")); got.Repeated || len(s.seen) != 2 {
		t.Errorf("of another caller: %+v", got)
	}
}

func TestPushKeysAreChecked(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	for _, key := range []string{"\x00", "\xff", strings.Repeat("k", biz.MaxIDBytes+1)} {
		got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, keyed(key))
		wantError(t, asError(got.Err), biz.KindInvalid, "INVALID_REQUEST")
		_, err := s.pushes.Broadcast(t.Context(), &biz.Push{}, keyed(key))
		wantError(t, err, biz.KindInvalid, "INVALID_REQUEST")
	}
	if len(s.seen)+len(s.keys.records) > 0 {
		t.Error("a refused push went out or was remembered")
	}
}

// TestPushKeysThatCannotBeStored: nothing is pushed that might be pushed twice.
func TestPushKeysThatCannotBeStored(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	s.keys.err = errors.New("disk")
	if got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, keyed("k")); got.Outcome != biz.OutcomeRejected || got.Err == nil {
		t.Errorf("%+v", got)
	}
	if len(s.seen) > 0 {
		t.Error("it went out")
	}
	s.keys.err = nil
	if got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, keyed("k")); got.Repeated || len(s.seen) != 1 {
		t.Errorf("once the store is back: %+v", got)
	}
}

// TestConcurrentPushesOfOneKey: one is made, and the others get its answer when it is there.
func TestConcurrentPushesOfOneKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newPushScene()
		s.outcomes["openid:alice"] = biz.OutcomeDelivered
		s.ack = make(chan struct{})
		o := biz.PushOptions{Key: "k", AckWithin: 10 * time.Second}
		var wg sync.WaitGroup
		results := make([]biz.PushResult, 50)
		for i := range results {
			wg.Go(func() { results[i] = s.pushes.Push(t.Context(), toAlice, &biz.Push{}, o) })
		}
		synctest.Wait()
		other := s.pushes.Push(t.Context(), toAlice, &biz.Push{Title: "another"}, o)
		if other.Err == nil || other.Err.Kind != biz.KindConflict {
			t.Errorf("another request meanwhile: %+v", other)
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := s.pushes.Push(hurried, toAlice, &biz.Push{}, o); got.Err == nil || !got.Repeated {
			t.Errorf("who does not wait for the first: %+v", got)
		}
		close(s.ack)
		wg.Wait()
		firsts := 0
		for _, r := range results {
			if r.Outcome != biz.OutcomeDelivered || r.Err != nil {
				t.Errorf("%+v", r)
			}
			if !r.Repeated {
				firsts++
			}
		}
		if firsts != 1 || len(s.seen) != 1 {
			t.Errorf("%d firsts, %d pushes", firsts, len(s.seen))
		}
	})
}

// TestPushLostInTheMiddle repeats a request whose node stopped before it had answered. Nobody knows
// whether it arrived, and that is the answer from then on.
func TestPushLostInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	s.keys.unwritten = true
	targets := []biz.Target{toAlice, {Type: "room", ID: "r"}}
	s.pushes.Push(t.Context(), toAlice, &biz.Push{}, keyed("one"))
	if _, err := s.pushes.Batch(t.Context(), targets, &biz.Push{}, keyed("many")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pushes.Broadcast(t.Context(), &biz.Push{}, keyed("all")); err != nil {
		t.Fatal(err)
	}
	s = s.restarted()
	s.keys.unwritten = false
	for _, repeated := range []bool{false, true} { // its outcome is counted once
		one := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, keyed("one"))
		if one.Outcome != biz.OutcomeUnknown || one.Err == nil || one.Err.Reason != "UNKNOWN" || one.Repeated != repeated {
			t.Errorf("one: %+v", one)
		}
		many, err := s.pushes.Batch(t.Context(), targets, &biz.Push{}, keyed("many"))
		if err != nil || many[0].Outcome != biz.OutcomeUnknown || many[1].Outcome != biz.OutcomeRejected || many[0].Repeated != repeated {
			t.Errorf("many: %+v, %v", many, err)
		}
		_, err = s.pushes.Broadcast(t.Context(), &biz.Push{}, keyed("all"))
		wantError(t, err, biz.KindConflict, "UNKNOWN")
	}
	if len(s.seen) > 0 {
		t.Error("it was pushed again")
	}
}

// TestStoredPushLostInTheMiddle: what was to be kept is pushed again, as the same push.
func TestStoredPushLostInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	s.keys.unwritten = true
	o := biz.PushOptions{Key: "k", StoreOffline: true}
	first := &biz.Push{}
	s.pushes.Push(t.Context(), toAlice, first, o)
	s = s.restarted()
	s.keys.unwritten = false
	again := &biz.Push{}
	if got := s.pushes.Push(t.Context(), toAlice, again, o); got.Outcome != biz.OutcomeQueued || got.Repeated {
		t.Errorf("%+v", got)
	}
	if again.ID != first.ID || !again.Time.Equal(first.Time) || !again.Again {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, o); !got.Repeated {
		t.Errorf("the third time: %+v", got)
	}
}

// TestPushThatTheNodeFailed: a store that fails is no answer to remember.
func TestPushThatTheNodeFailed(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	o := biz.PushOptions{Key: "k", StoreOffline: true}
	s.inbox.err = biz.Errorf(biz.KindUnavailable, "STORE_UNAVAILABLE", "no").Because(errors.New("disk"))
	if got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, o); got.Outcome != biz.OutcomeRejected {
		t.Fatalf("%+v", got)
	}
	s.inbox.err = nil
	if got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, o); got.Outcome != biz.OutcomeQueued || got.Repeated {
		t.Errorf("once the store is back: %+v", got)
	}
}

// TestCanceledPushIsRemembered: a caller who goes away and comes back finds what became of his push.
func TestCanceledPushIsRemembered(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := biz.PushOptions{Key: "k", StoreOffline: true}
	s.pushes.Push(ctx, toAlice, &biz.Push{}, o)
	if got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, o); got.Outcome != biz.OutcomeQueued || !got.Repeated {
		t.Errorf("%+v", got)
	}
}

func TestPushWaits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outcome  biz.Outcome // of the sessions
		acked    bool
		store    bool
		deadline time.Duration
		full     bool
		want     biz.Outcome
		after    time.Duration
		note     string
	}{
		"acknowledged":                  {outcome: biz.OutcomeDelivered, acked: true, want: biz.OutcomeDelivered},
		"acknowledged, stored":          {outcome: biz.OutcomeDelivered, acked: true, store: true, want: biz.OutcomeDelivered},
		"not in time":                   {outcome: biz.OutcomeDelivered, want: biz.OutcomeQueued, after: 5 * time.Second, note: "not acknowledged in time"},
		"not in time, stored":           {outcome: biz.OutcomeDelivered, store: true, want: biz.OutcomeQueued, after: 5 * time.Second, note: "kept in the inbox"},
		"not in time, inbox full":       {outcome: biz.OutcomeDelivered, store: true, full: true, want: biz.OutcomeQueued, after: 5 * time.Second, note: "could not be kept"},
		"the call's deadline is first":  {outcome: biz.OutcomeDelivered, deadline: time.Second, want: biz.OutcomeQueued, after: 900 * time.Millisecond, note: "not acknowledged in time"},
		"the connection was lost":       {outcome: biz.OutcomeQueued, want: biz.OutcomeQueued, note: "connection was lost"},
		"the session ended":             {outcome: biz.OutcomeUnknown, want: biz.OutcomeUnknown},
		"the session ended, stored":     {outcome: biz.OutcomeUnknown, store: true, want: biz.OutcomeQueued, note: "kept in the inbox"},
		"the session ended, inbox full": {outcome: biz.OutcomeUnknown, store: true, full: true, want: biz.OutcomeUnknown},
		"slow":                          {outcome: biz.OutcomeSlow, store: true, want: biz.OutcomeSlow},
		"away":                          {outcome: biz.OutcomeOffline, want: biz.OutcomeOffline},
		"away, stored":                  {outcome: biz.OutcomeOffline, store: true, want: biz.OutcomeQueued, note: "kept in the inbox"},
		"away, inbox full":              {outcome: biz.OutcomeOffline, store: true, full: true, want: biz.OutcomeRejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newPushScene()
				s.outcomes["openid:alice"] = test.outcome
				s.ack = make(chan struct{})
				if test.acked {
					close(s.ack)
				}
				if test.full {
					s.inbox.kept["alice"] = make([]*biz.Push, 2)
				}
				ctx := t.Context()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				start := time.Now()
				got := s.pushes.Push(ctx, toAlice, &biz.Push{}, biz.PushOptions{StoreOffline: test.store, AckWithin: 5 * time.Second})
				if got.Outcome != test.want || time.Since(start) != test.after || !strings.Contains(got.Note, test.note) {
					t.Errorf("%+v after %v", got, time.Since(start))
				}
				if good := got.Outcome == biz.OutcomeDelivered || got.Outcome == biz.OutcomeQueued; good != (got.Err == nil) {
					t.Errorf("outcome %v with error %v", got.Outcome, got.Err)
				}
			})
		})
	}
}

// TestBatchWaitsForAllTogether: targets do not wait for each other, and results keep their order.
func TestBatchWaitsForAllTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newPushScene()
		s.ack = make(chan struct{})
		var targets []biz.Target
		for i := range 4 {
			s.outcomes[fmt.Sprint("openid:", i)] = biz.OutcomeDelivered
			targets = append(targets, biz.Target{Type: "openid", ID: fmt.Sprint(i)})
		}
		targets[1].Type = "room"
		start := time.Now()
		results, err := s.pushes.Batch(t.Context(), targets, &biz.Push{}, biz.PushOptions{AckWithin: time.Second})
		if err != nil || time.Since(start) != time.Second || s.waits != 3 {
			t.Errorf("%v, after %v and %d waits", err, time.Since(start), s.waits)
		}
		for i, r := range results {
			want := biz.OutcomeQueued
			if i == 1 {
				want = biz.OutcomeRejected
			}
			if r.Outcome != want {
				t.Errorf("target %d: %+v", i, r)
			}
		}
	})
}

func TestWaitsThatAreWrong(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	for _, wait := range []time.Duration{-1, biz.MaxAckWait + 1} {
		got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, biz.PushOptions{AckWithin: wait})
		wantError(t, asError(got.Err), biz.KindInvalid, "INVALID_REQUEST")
	}
	_, err := s.pushes.Broadcast(t.Context(), &biz.Push{}, biz.PushOptions{AckWithin: time.Second})
	wantError(t, err, biz.KindInvalid, "INVALID_REQUEST")
	if len(s.seen) > 0 {
		t.Error("a refused push went out")
	}
}
