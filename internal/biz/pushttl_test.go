package biz_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// TestPushTTL: what is kept is kept no longer than it is worth something, and than anything is kept.
func TestPushTTL(t *testing.T) {
	t.Parallel()
	for ttl, want := range map[time.Duration]time.Duration{0: time.Hour, time.Minute: time.Minute, 2 * time.Hour: time.Hour} {
		s := newPushScene()
		p := &biz.Push{}
		if got := s.pushes.Push(t.Context(), toAlice, p, biz.PushOptions{StoreOffline: true, TTL: ttl}); got.Outcome != biz.OutcomeQueued {
			t.Fatalf("%v: %+v", ttl, got)
		}
		if got := s.inbox.expires.Sub(p.Time); got != want {
			t.Errorf("with a ttl of %v it is kept for %v, want %v", ttl, got, want)
		}
		if p.Expires.IsZero() != (ttl == 0) || ttl > 0 && p.Expires.Sub(p.Time) != ttl {
			t.Errorf("with a ttl of %v it expires after %v", ttl, p.Expires.Sub(p.Time))
		}
	}
	for _, ttl := range []time.Duration{-1, biz.MaxPushTTL + 1} {
		got := newPushScene().pushes.Push(t.Context(), toAlice, &biz.Push{}, biz.PushOptions{TTL: ttl})
		if got.Outcome != biz.OutcomeRejected || got.Err.Reason != "INVALID_REQUEST" {
			t.Errorf("%v: %+v", ttl, got)
		}
	}
}

// TestPushTTLWhileWaiting: a push that nobody was written in time is not kept either.
func TestPushTTLWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := biz.PushOptions{StoreOffline: true, TTL: time.Second, AckWithin: 5 * time.Second}
		for outcome, want := range map[biz.Outcome]biz.Outcome{
			biz.OutcomeExpired:   biz.OutcomeExpired,
			biz.OutcomeDelivered: biz.OutcomeQueued, // written, and not acknowledged: he may have it
		} {
			s := newPushScene()
			s.ack = make(chan struct{})
			s.outcomes["openid:alice"] = outcome
			got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, o)
			if got.Outcome != want || len(s.inbox.kept) != 0 {
				t.Errorf("sessions say %v: %+v, %d kept", outcome, got, len(s.inbox.kept))
			}
		}
	})
}

// TestPushTTLOverARestart: the time counts from the first attempt, and the ttl is part of the request.
func TestPushTTLOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := biz.PushOptions{StoreOffline: true, TTL: time.Minute, Key: "k"}
		s := newPushScene()
		s.keys.unwritten = true
		first := &biz.Push{}
		s.pushes.Push(t.Context(), toAlice, first, o)
		time.Sleep(30 * time.Second)
		s = s.restarted()
		again := &biz.Push{}
		if got := s.pushes.Push(t.Context(), toAlice, again, o); got.Outcome != biz.OutcomeQueued || !again.Expires.Equal(first.Expires) {
			t.Errorf("in time: %+v, expires %v, want %v", got, again.Expires, first.Expires)
		}
		longer := o
		longer.TTL = time.Hour
		if got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, longer); got.Err == nil || got.Err.Reason != "IDEMPOTENCY_CONFLICT" {
			t.Errorf("with another ttl: %+v", got)
		}
		time.Sleep(31 * time.Second)
		s = s.restarted()
		if got := s.pushes.Push(t.Context(), toAlice, &biz.Push{}, o); got.Outcome != biz.OutcomeUnknown || len(s.seen) > 0 {
			t.Errorf("too late: %+v after %d pushes", got, len(s.seen))
		}
	})
}

// paced broadcasts to s.total sessions and returns every report, with the time that it came at.
func (s *pushScene) paced(ctx context.Context, perSecond int, o biz.PushOptions) (reports []biz.BroadcastCounts, got biz.BroadcastResult, err error) {
	got, err = s.pushes.PaceBroadcast(ctx, &biz.Push{}, biz.Pace{PerSecond: perSecond, Report: func(c biz.BroadcastCounts) error {
		reports = append(reports, c)
		return nil
	}}, o)
	return reports, got, err
}

// TestPaceBroadcast: the rate is kept, and every report adds up.
func TestPaceBroadcast(t *testing.T) {
	for perSecond, want := range map[int]time.Duration{1: 99 * time.Second, 100: 950 * time.Millisecond, biz.MaxBroadcastRate: 0} {
		synctest.Test(t, func(t *testing.T) {
			s := newPushScene()
			s.total = 100
			start := time.Now()
			reports, got, err := s.paced(t.Context(), perSecond, biz.PushOptions{})
			if err != nil || got.Total != 100 || got.Remaining() != 0 || got.Sent != 99 || got.Queued != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			if took := time.Since(start); took < want || took > want+time.Second {
				t.Errorf("%d a second took %v, want %v", perSecond, took, want)
			}
			if least := int(want / time.Second); len(reports) < max(least, 1) || len(reports) > least+2 {
				t.Errorf("%d reports", len(reports))
			}
			before := biz.BroadcastCounts{Total: 100}
			for _, r := range reports {
				if r.Total != 100 || r.Sent < before.Sent || r.Remaining() < 0 {
					t.Errorf("%+v after %+v", r, before)
				}
				before = r
			}
		})
	}
}

// TestPaceBroadcastIsCut: by its caller, by its ttl, by the node's stop. Who was pushed to is counted,
// and a repetition is told the same.
func TestPaceBroadcastIsCut(t *testing.T) {
	for name, test := range map[string]struct {
		ttl     time.Duration
		cut     func(s *pushScene, cancel context.CancelFunc)
		wrong   func(error) bool
		expired bool
	}{
		"by its caller": {0, func(_ *pushScene, cancel context.CancelFunc) { cancel() },
			func(err error) bool { return errors.Is(err, context.Canceled) }, false},
		"by the node": {0, func(s *pushScene, _ context.CancelFunc) { s.pushes.Stop() },
			func(err error) bool { return biz.KindOf(err) == biz.KindUnavailable }, false},
		"by its ttl": {10 * time.Second, func(*pushScene, context.CancelFunc) {}, func(err error) bool { return err == nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newPushScene()
				s.total = 100
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				first := s
				time.AfterFunc(10*time.Second+time.Millisecond, func() { test.cut(first, cancel) })
				o := biz.PushOptions{Key: "k", TTL: test.ttl}
				_, got, err := s.paced(ctx, 1, o)
				if !test.wrong(err) || got.Sent != 11 || got.Total != 100 {
					t.Fatalf("%+v, %v", got, err)
				}
				if (got.Expired == 89) != test.expired || (got.Remaining() == 89) == test.expired {
					t.Errorf("%+v", got)
				}
				s = s.restarted()
				_, again, err := s.paced(t.Context(), 1, o)
				if err != nil || !again.Repeated || again.BroadcastCounts != got.BroadcastCounts || len(s.seen) > 0 {
					t.Errorf("again: %+v, %v", again, err)
				}
			})
		})
	}
}

func TestPaceBroadcastRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPushScene()
		for _, rate := range []int{0, -1, biz.MaxBroadcastRate + 1} {
			_, _, err := s.paced(t.Context(), rate, biz.PushOptions{})
			wantError(t, err, biz.KindInvalid, "INVALID_REQUEST")
		}
		s.total = 1000
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 16)
		for range cap(ended) {
			go func() {
				_, _, err := s.paced(ctx, 1, biz.PushOptions{})
				ended <- err
			}()
		}
		synctest.Wait()
		_, _, err := s.paced(t.Context(), 1, biz.PushOptions{})
		wantError(t, err, biz.KindResourceLimit, "TOO_MANY_BROADCASTS")
		cancel()
		for range cap(ended) {
			<-ended
		}
		s.total = 3
		if _, got, err := s.paced(t.Context(), 100, biz.PushOptions{}); err != nil || got.Remaining() != 0 {
			t.Errorf("afterwards: %+v, %v", got, err)
		}
		s.pushes.Stop()
		_, _, err = s.paced(t.Context(), 1, biz.PushOptions{})
		wantError(t, err, biz.KindUnavailable, "NOT_SERVING")
	})
}

// TestBatchInParallel: a large batch has its results in the order of its targets, and every user has his
// own place in his own inbox.
func TestBatchInParallel(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	s.pushes.SetRules(biz.PushRules{MaxBytes: maxPush, MaxTargets: 10_000, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 2, Bytes: 1 << 20}})
	var targets []biz.Target
	want := make([]biz.Outcome, 10_000)
	for i := range want {
		id := time.Duration(i).String()
		targets = append(targets, biz.Target{Type: []string{"openid", "session", "room"}[i%3], ID: id})
		switch {
		case i%3 == 2:
			want[i] = biz.OutcomeRejected
		case i%3 == 1:
			want[i] = biz.OutcomeNotFound
		case i%2 == 0:
			s.outcomes["openid:"+id], want[i] = biz.OutcomeDelivered, biz.OutcomeDelivered
		default:
			want[i] = biz.OutcomeQueued
		}
	}
	for _, wait := range []time.Duration{0, time.Second} {
		results, err := s.pushes.Batch(t.Context(), targets, &biz.Push{}, biz.PushOptions{StoreOffline: true, AckWithin: wait})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]biz.Outcome, len(results))
		for i, r := range results {
			got[i] = r.Outcome
		}
		if !slices.Equal(got, want) {
			t.Errorf("wait %v: outcomes are not those of their targets", wait)
		}
	}
	if len(s.inbox.kept) != 1667 {
		t.Errorf("%d inboxes have something", len(s.inbox.kept))
	}
}
