package biz_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/biz"
)

const maxPush = 100

// sessions is a biz.PushSessions whose outcome for a target is set beforehand; the others are away.
type sessions struct {
	mu       sync.Mutex
	outcomes map[string]biz.Outcome // by "session:1", "openid:alice", "gid:7"
	pushes   []string
	seen     []*biz.Push
	grew     map[biz.UserID]int64
	total    int

	works func(biz.PushKey) bool // what other nodes are told by
	other *sessions              // of another node; nil: there is none

	waits int           // AwaitedPush.Wait calls
	left  int           // AwaitedPush.Leave calls
	ack   chan struct{} // what a push that is delivered is acknowledged by; nil: at once
}

// awaitedPush is acknowledged when its sessions say so, if they have taken it.
type awaitedPush struct {
	sessions *sessions
	outcome  biz.Outcome
}

func (a *awaitedPush) Leave() {
	a.sessions.mu.Lock()
	defer a.sessions.mu.Unlock()
	a.sessions.left++
}

func (a *awaitedPush) Wait(ctx context.Context) biz.Offered {
	return biz.Offered{Outcome: a.wait(ctx), Why: "it ended"}
}

func (a *awaitedPush) wait(ctx context.Context) biz.Outcome {
	a.sessions.mu.Lock()
	a.sessions.waits++
	a.sessions.mu.Unlock()
	if a.outcome != biz.OutcomeDelivered || a.sessions.ack == nil {
		return a.outcome
	}
	select {
	case <-a.sessions.ack:
		return biz.OutcomeDelivered
	case <-ctx.Done():
		return biz.OutcomeQueued
	}
}

func (s *sessions) outcome(target string, p *biz.Push, absent biz.Outcome) biz.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes, s.seen = append(s.pushes, target), append(s.seen, p)
	if o, ok := s.outcomes[target]; ok {
		return o
	}
	return absent
}

func (s *sessions) Push(_ context.Context, to biz.Recipient, p *biz.Push) biz.Offered {
	return biz.Offered{Outcome: s.push(to, p), Why: "nobody has answered"}
}

func (s *sessions) Batch(ctx context.Context, to []biz.Recipient, p *biz.Push) (all []biz.Offered) {
	for _, r := range to {
		all = append(all, s.Push(ctx, r, p))
	}
	return all
}

func (s *sessions) push(to biz.Recipient, p *biz.Push) biz.Outcome {
	switch to.Kind {
	case biz.TargetSession:
		return s.outcome("session:"+to.ID, p, biz.OutcomeNotFound)
	case biz.TargetGID:
		return s.outcome(fmt.Sprint("gid:", to.GID), p, biz.OutcomeOffline)
	}
	return s.outcome("openid:"+to.ID, p, biz.OutcomeOffline)
}

func (s *sessions) Await(_ context.Context, to []biz.Recipient, p *biz.Push) (all []biz.AwaitedPush) {
	for _, r := range to {
		all = append(all, &awaitedPush{s, s.push(r, p)})
	}
	return all
}

func (s *sessions) Broadcast(ctx context.Context, p *biz.Push) biz.BroadcastCounts {
	all := s.Audience(ctx, p)
	return all.Next(ctx, all.Len())
}

func (s *sessions) Audience(_ context.Context, p *biz.Push) biz.Audience {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, p)
	return &audience{left: s.total}
}

// audience is connected, but for its last one.
type audience struct{ left int }

func (a *audience) Len() int    { return a.left }
func (a *audience) Silent() int { return 0 }

func (s *sessions) AtWork(_ context.Context, k biz.PushKey) bool {
	return s.other != nil && s.other.works(k)
}
func (s *sessions) Works(is func(biz.PushKey) bool) { s.works = is }

func (a *audience) Next(_ context.Context, n int) biz.BroadcastCounts {
	c := biz.BroadcastCounts{Sent: n, Total: n}
	if a.left -= n; a.left == 0 && n > 0 {
		c.Sent, c.Queued = n-1, 1
	}
	return c
}

func (s *sessions) InboxGrew(user biz.UserID, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grew[user] = seq
}

type pushScene struct {
	*sessions
	inbox  *inbox
	keys   *pushKeys
	pushes *biz.Pushes
}

func newPushScene() *pushScene {
	s := &sessions{outcomes: map[string]biz.Outcome{}, grew: map[biz.UserID]int64{}, total: 3}
	b := &inbox{kept: map[biz.UserID][]*biz.Push{}}
	rules := biz.PushRules{MaxBytes: maxPush, MaxTargets: 5, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 2, Bytes: 1 << 20}}
	k := &pushKeys{records: map[biz.PushKey]*biz.PushRecord{}}
	return &pushScene{s, b, k, biz.NewPushes(s, b, k, rules)}
}

func (s *pushScene) push(t testing.TB, kind, id string) biz.PushResult {
	t.Helper()
	return s.pushes.Push(t.Context(), biz.Target{Type: kind, ID: id}, &biz.Push{MsgType: "m"}, biz.PushOptions{})
}

var orStore = biz.PushOptions{StoreOffline: true}

func TestPushOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind, id string
		sessions biz.Outcome // what the sessions answer; 0: they have none
		store    bool
		want     biz.Outcome
		reason   string
	}{
		{"session", "s", biz.OutcomeDelivered, false, biz.OutcomeDelivered, ""},
		{"session", "s", biz.OutcomeQueued, false, biz.OutcomeQueued, ""},
		{"session", "s", biz.OutcomeSlow, false, biz.OutcomeSlow, "TARGET_SLOW"},
		{"session", "s", biz.OutcomeUnknown, false, biz.OutcomeUnknown, "UNKNOWN"},
		{"session", "s", 0, false, biz.OutcomeNotFound, "TARGET_NOT_FOUND"},
		{"session", "s", 0, true, biz.OutcomeNotFound, "TARGET_NOT_FOUND"},
		{"openid", "u", biz.OutcomeDelivered, true, biz.OutcomeDelivered, ""},
		{"openid", "u", biz.OutcomeQueued, true, biz.OutcomeQueued, ""},
		{"openid", "u", biz.OutcomeSlow, true, biz.OutcomeSlow, "TARGET_SLOW"},
		{"openid", "u", biz.OutcomeUnknown, true, biz.OutcomeQueued, ""}, // rather twice than never,
		{"openid", "u", 0, false, biz.OutcomeOffline, "TARGET_OFFLINE"},
		{"openid", "u", 0, true, biz.OutcomeQueued, ""},
		{"gid", "7", biz.OutcomeDelivered, false, biz.OutcomeDelivered, ""},
		{"gid", "-7", biz.OutcomeDelivered, false, biz.OutcomeDelivered, ""},
		{"gid", fmt.Sprint(math.MaxInt64), 0, false, biz.OutcomeOffline, "TARGET_OFFLINE"},
		{"gid", "7", 0, true, biz.OutcomeOffline, "TARGET_OFFLINE"},
		{"gid", "seven", 0, false, biz.OutcomeRejected, "INVALID_TARGET"},
		{"gid", "7.0", 0, false, biz.OutcomeRejected, "INVALID_TARGET"},
		{"gid", "9223372036854775808", 0, false, biz.OutcomeRejected, "INVALID_TARGET"},
		{"gid", "", 0, false, biz.OutcomeRejected, "INVALID_TARGET"},
		{"", "u", 0, false, biz.OutcomeRejected, "INVALID_TARGET"},
		{"OPENID", "u", 0, false, biz.OutcomeRejected, "INVALID_TARGET"},
		{"room", "u", 0, true, biz.OutcomeRejected, "INVALID_TARGET"},
		{"openid", "", 0, true, biz.OutcomeRejected, "INVALID_TARGET"},
		{"openid", "a\x00", 0, true, biz.OutcomeRejected, "INVALID_TARGET"},
		{"session", "\xff", 0, false, biz.OutcomeRejected, "INVALID_TARGET"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %q answers %v, store %v", test.kind, test.id, test.sessions, test.store), func(t *testing.T) {
			t.Parallel()
			s := newPushScene()
			if test.sessions != 0 {
				s.outcomes[test.kind+":"+test.id] = test.sessions
			}
			got := s.pushes.Push(t.Context(), biz.Target{Type: test.kind, ID: test.id}, &biz.Push{}, biz.PushOptions{StoreOffline: test.store})
			if got.Outcome != test.want {
				t.Errorf("outcome %v, want %v", got.Outcome, test.want)
			}
			switch {
			case test.reason == "" && got.Err != nil:
				t.Errorf("failed: %v", got.Err)
			case test.reason != "" && (got.Err == nil || got.Err.Reason != test.reason):
				t.Errorf("error %v, want %s", got.Err, test.reason)
			}
			if rejected := got.Outcome == biz.OutcomeRejected; rejected == (len(s.sessions.pushes) == 1) {
				t.Errorf("outcome %v after %d attempts", got.Outcome, len(s.sessions.pushes))
			}
			if kept := len(s.inbox.kept["u"]) == 1; kept != (test.store && (test.sessions == 0 || test.sessions == biz.OutcomeUnknown) && got.Outcome == biz.OutcomeQueued) {
				t.Errorf("kept in the inbox: %v", kept)
			}
		})
	}
}

// TestGIDThatIsTooLarge is told what is wrong with it: it is a decimal number.
func TestGIDThatIsTooLarge(t *testing.T) {
	t.Parallel()
	got := newPushScene().pushes.Push(t.Context(), biz.Target{Type: "gid", ID: "9223372036854775808"}, &biz.Push{}, biz.PushOptions{})
	if got.Err == nil || !strings.Contains(got.Err.Text, "64 bits") {
		t.Errorf("%+v", got)
	}
}

func TestPushIsKeptForSomebodyWhoIsAway(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	p := &biz.Push{Title: "t"}
	for n := int64(1); n <= 2; n++ {
		if got := s.pushes.Push(t.Context(), biz.Target{Type: "openid", ID: "u"}, p, orStore); got.Outcome != biz.OutcomeQueued {
			t.Fatalf("%+v", got)
		}
		if s.grew["u"] != n {
			t.Errorf("sessions were told of %d, want %d: he may have connected meanwhile", s.grew["u"], n)
		}
	}
	if want := p.Time.Add(time.Hour); !s.inbox.expires.Equal(want) {
		t.Errorf("expires %v, want %v", s.inbox.expires, want)
	}
	got := s.pushes.Push(t.Context(), biz.Target{Type: "openid", ID: "u"}, p, orStore)
	if got.Outcome != biz.OutcomeRejected || got.Err == nil || got.Err.Reason != "INBOX_FULL" || got.Err.Kind != biz.KindResourceLimit {
		t.Errorf("a full inbox: %+v", got)
	}
	s.inbox.err = errors.New("disk")
	got = s.pushes.Push(t.Context(), biz.Target{Type: "openid", ID: "v"}, p, orStore)
	if got.Outcome != biz.OutcomeRejected || got.Err == nil || got.Err.Kind != biz.KindInternal {
		t.Errorf("a store that fails: %+v", got)
	}
	if _, told := s.grew["v"]; told {
		t.Error("sessions were told of what was not kept")
	}

	kept, err := s.pushes.Kept(t.Context(), "u", 1, 10)
	if err != nil || len(kept) != 1 || kept[0].InboxSeq != 2 || kept[0].Title != "t" {
		t.Fatalf("kept %v, %v", kept, err)
	}
	s.pushes.Received("u", 2)
	if kept, err := s.pushes.Kept(t.Context(), "u", 0, 10); len(kept) != 0 || err != nil {
		t.Errorf("after receipt: %v, %v", kept, err)
	}
}

func TestPushPayload(t *testing.T) {
	t.Parallel()
	fill := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name string
		p    biz.Push
		ok   bool
	}{
		{"nothing", biz.Push{}, true},
		{"data that is no text", biz.Push{Data: []byte{0, 0xff}}, true},
		{"data at the limit", biz.Push{Data: make([]byte, maxPush)}, true},
		{"data above it", biz.Push{Data: make([]byte, maxPush+1)}, false},
		{"all together at the limit", biz.Push{MsgType: fill(25), Title: fill(25), Content: fill(25), Data: make([]byte, 25)}, true},
		{"all together above it", biz.Push{MsgType: fill(25), Title: fill(25), Content: fill(25), Data: make([]byte, 26)}, false},
		{"metadata at the limit", biz.Push{Metadata: map[string]string{"k": fill(maxPush - 1)}}, true},
		{"metadata above it", biz.Push{Metadata: map[string]string{"k": fill(maxPush)}}, false},
		{"msg_type not in UTF-8", biz.Push{MsgType: "\xff"}, false},
		{"title not in UTF-8", biz.Push{Title: "\xff"}, false},
		{"content not in UTF-8", biz.Push{Content: "\xff"}, false},
		{"metadata not in UTF-8", biz.Push{Metadata: map[string]string{"k": "\xff"}}, false},
		{"NUL in title", biz.Push{Title: "\x00"}, false},
		{"NUL in content", biz.Push{Content: "\x00"}, false},
		{"NUL in metadata", biz.Push{Metadata: map[string]string{"\x00": ""}}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, p := newPushScene(), test.p
			target := biz.Target{Type: "openid", ID: "u"}
			results := map[string]error{"push": asError(s.pushes.Push(t.Context(), target, &p, orStore).Err)}
			_, results["batch"] = s.pushes.Batch(t.Context(), []biz.Target{target}, &p, orStore)
			_, results["broadcast"] = s.pushes.Broadcast(t.Context(), &p, biz.PushOptions{})
			reason := "INVALID_REQUEST"
			if test.ok {
				reason = ""
			}
			for call, err := range results {
				t.Run(call, func(t *testing.T) { wantError(t, err, biz.KindInvalid, reason) })
			}
			if !test.ok && len(s.seen)+len(s.inbox.kept) > 0 {
				t.Error("a refused push went out")
			}
		})
	}
}

// TestPushSizeCountsMetadata: PushRules.MaxBytes bounds one push as a whole.
func TestPushSizeCountsMetadata(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	p := &biz.Push{Data: make([]byte, maxPush), Metadata: map[string]string{"k": "v"}}
	_, err := s.pushes.Broadcast(t.Context(), p, biz.PushOptions{})
	wantError(t, err, biz.KindInvalid, "INVALID_REQUEST")
}

func TestPushesAreStamped(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	ids := map[string]bool{}
	for range 1000 {
		p := &biz.Push{}
		if _, err := s.pushes.Broadcast(t.Context(), p, biz.PushOptions{}); err != nil {
			t.Fatal(err)
		}
		if ids[p.ID] || p.ID == "" || time.Since(p.Time) > time.Minute {
			t.Fatalf("%+v", p)
		}
		ids[p.ID] = true
	}
}

func TestBroadcastCounts(t *testing.T) {
	t.Parallel()
	got, err := newPushScene().pushes.Broadcast(t.Context(), &biz.Push{}, biz.PushOptions{})
	if want := (biz.BroadcastCounts{Sent: 2, Queued: 1, Total: 3}); got != (biz.BroadcastResult{BroadcastCounts: want}) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBatchIsBounded(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	target := biz.Target{Type: "openid", ID: "u"}
	results, err := s.pushes.Batch(t.Context(), slices.Repeat([]biz.Target{target}, 5), &biz.Push{}, biz.PushOptions{})
	if err != nil || len(results) != 5 {
		t.Errorf("at the limit: %v, %v", results, err)
	}
	_, err = s.pushes.Batch(t.Context(), slices.Repeat([]biz.Target{target}, 6), &biz.Push{}, biz.PushOptions{})
	wantError(t, err, biz.KindInvalid, "TOO_MANY_TARGETS")
	results, err = s.pushes.Batch(t.Context(), nil, &biz.Push{}, biz.PushOptions{})
	if err != nil || len(results) != 0 {
		t.Errorf("of no targets: %v, %v", results, err)
	}
	if len(s.sessions.pushes) != 5 {
		t.Errorf("%d pushes went out", len(s.sessions.pushes))
	}
}

// TestA8AccountedPush draws batches at random: every target has exactly one outcome, in its place,
// that says what became of it, and the attempts, the inbox and the outcomes add up.
func TestA8AccountedPush(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newPushScene()
		s.outcomes = map[string]biz.Outcome{
			"session:here": biz.OutcomeDelivered, "session:slow": biz.OutcomeSlow, "session:gone": biz.OutcomeUnknown,
			"openid:here": biz.OutcomeDelivered, "openid:away": biz.OutcomeQueued, "gid:1": biz.OutcomeDelivered,
		}
		target := rapid.Custom(func(t *rapid.T) biz.Target {
			return biz.Target{
				Type: rapid.SampledFrom([]string{"session", "openid", "gid", "room", ""}).Draw(t, "type"),
				ID:   rapid.SampledFrom([]string{"here", "slow", "gone", "away", "absent", "1", "2", "", "\x00"}).Draw(t, "id"),
			}
		})
		targets := rapid.SliceOfN(target, 0, 5).Draw(t, "targets")
		options := biz.PushOptions{
			StoreOffline: rapid.Bool().Draw(t, "store"),
			AckWithin:    time.Duration(rapid.IntRange(0, 1).Draw(t, "wait")) * time.Second,
			Key:          rapid.SampledFrom([]string{"", "key"}).Draw(t, "key"),
		}
		results, err := s.pushes.Batch(t.Context(), targets, &biz.Push{}, options)
		if err != nil || len(results) != len(targets) {
			t.Fatalf("%d results of %d targets, %v", len(results), len(targets), err)
		}
		counts := map[biz.Outcome]int{}
		for i, r := range results {
			counts[r.Outcome]++
			good := r.Outcome == biz.OutcomeDelivered || r.Outcome == biz.OutcomeQueued
			if good != (r.Err == nil) {
				t.Fatalf("target %+v: outcome %v with error %v", targets[i], r.Outcome, r.Err)
			}
			known, ok := s.outcomes[targets[i].Type+":"+targets[i].ID]
			if ok && r.Outcome != known {
				t.Fatalf("target %+v: outcome %v, want %v", targets[i], r.Outcome, known)
			}
		}
		sum := 0
		for _, o := range biz.Outcomes() {
			sum += counts[o]
		}
		if sum != len(targets) {
			t.Fatalf("outcomes add up to %d of %d", sum, len(targets))
		}
		kept := 0
		for _, k := range s.inbox.kept {
			kept += len(k)
		}
		away := len(slices.DeleteFunc(slices.Clone(s.sessions.pushes), func(p string) bool { return p != "openid:away" }))
		if options.StoreOffline && options.AckWithin > 0 {
			away = 0 // it was kept as well
		}
		if counts[biz.OutcomeQueued] != kept+away {
			t.Fatalf("%d queued, but %d kept and %d waiting in a session", counts[biz.OutcomeQueued], kept, away)
		}
	})
}

func TestOutcomeNames(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, o := range biz.Outcomes() {
		names[o.String()] = true
	}
	if len(names) != int(biz.OutcomeExpired)+1 {
		t.Errorf("two outcomes share a name: %v", names)
	}
}
