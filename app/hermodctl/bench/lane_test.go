package bench

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"
)

// TestLaneHoldsItsRate sends when units are due, and counts times from then, also those that had to
// wait for room.
func TestLaneHoldsItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLane(testLoad(Plan{}), 2)
		var times histogram
		sends := make(chan uint64, 100)
		ctx, stop := context.WithCancel(t.Context())
		start := time.Now()
		done := make(chan error)
		go func() {
			done <- l.drive(ctx, schedules(10, 1)[0], nil, nil, func(n uint64, due int64) error {
				if want := start.Add(time.Duration(n) * 100 * time.Millisecond).UnixNano(); due != want {
					t.Errorf("%d was due %v too late", n, time.Duration(due-want))
				}
				sends <- n
				return nil
			})
		}()
		time.Sleep(time.Second - time.Millisecond)
		if n := l.sent.Load(); n != 2 {
			t.Fatalf("%d units are unanswered, 2 may be", n)
		}
		for n := range uint64(10) { // the node wakes up
			<-sends
			l.answered(n, &times, "", "")
			synctest.Wait()
		}
		if n := l.sent.Load(); n != 10 {
			t.Errorf("%d units were sent in a second, 10 were due", n)
		}
		if got := times.quantile(1); got < 990*time.Millisecond {
			t.Errorf("the longest answer took %v: the stall does not show", got)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestLaneSharesARate between senders, in turn.
func TestLaneSharesARate(t *testing.T) {
	t.Parallel()
	all := schedules(100, 4)
	for i, s := range all {
		for n := range int64(3) {
			want := time.Duration(4*n+int64(i)) * 10 * time.Millisecond
			if got := s.at(n).Sub(all[0].start); got != want {
				t.Errorf("unit %d of sender %d is due after %v, want %v", n, i, got, want)
			}
		}
	}
	for _, s := range schedules(1e-12, 4)[1:] {
		if s.every <= 0 || time.Until(s.at(0)) < 24*time.Hour {
			t.Errorf("at next to no rate one is due every %v, from %v on", s.every, s.start)
		}
	}
	if s := schedules(0, 1)[0]; s.every != 0 {
		t.Error("no rate is a rate")
	}
}

func TestLaneCountsAnswers(t *testing.T) {
	t.Parallel()
	l := newLane(testLoad(Plan{}), 4)
	var times histogram
	ctx, stop := context.WithCancel(t.Context())
	_ = l.drive(ctx, schedule{}, nil, nil, func(n uint64, _ int64) error {
		if n == 3 {
			stop()
		}
		return nil
	})
	l.answered(1, &times, "refused RATE_LIMITED", "slower, please") // a refusal may overtake
	l.answered(0, &times, "", "")
	l.answered(2, &times, "", "")
	l.answered(9, &times, "", "")
	if l.accepted.Load() != 2 || l.refused.Load() != 1 || l.unanswered() != 1 || times.total != 3 {
		t.Errorf("%d accepted, %d refused, %d unanswered, %d timed", l.accepted.Load(), l.refused.Load(), l.unanswered(), times.total)
	}
	if got, want := l.load.tally.byKind(), map[string]int64{"refused RATE_LIMITED": 1, "answer to nothing": 1}; !maps.Equal(got, want) {
		t.Errorf("wrong was %v, want %v", got, want)
	}
}

// A lane ends with its connection, and when it cannot send.
func TestLaneEnds(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	close(gone)
	full := newLane(testLoad(Plan{}), 1)
	full.slots <- struct{}{}
	if err := full.drive(t.Context(), schedule{}, gone, nil, nil); err != nil {
		t.Error(err)
	}
	waiting := newLane(testLoad(Plan{}), 1)
	if err := waiting.drive(t.Context(), schedule{}, gone, func() bool { return false }, nil); err != nil {
		t.Error(err)
	}
	broken := errors.New("broken")
	if err := newLane(testLoad(Plan{}), 1).drive(t.Context(), schedule{}, nil, nil, func(uint64, int64) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
