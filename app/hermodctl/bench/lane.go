package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// pollEvery is how long a sender waits before it looks again whether the others have caught up.
const pollEvery = time.Millisecond

// maxGap is more than any load lasts.
const maxGap = 365 * 24 * time.Hour

// lane is a sender: it sends units, which are messages, calls or requests, one after another, of which
// so many may be unanswered. One goroutine drives it; another one tells it of answers.
type lane struct {
	load  *load
	slots chan struct{}
	due   []atomic.Int64 // of what is unanswered, by number, Unix nanoseconds

	sent, accepted, refused atomic.Int64
}

func newLane(l *load, inFlight int) *lane {
	ring := 1
	for ring < 4*inFlight { // an answer that overtakes others still finds its place
		ring *= 2
	}
	return &lane{load: l, slots: make(chan struct{}, inFlight), due: make([]atomic.Int64, ring)}
}

// schedule says when the units of a lane are due: when there is room for them, or at a rate, whatever
// the node does. A time counts from when the unit was due, so that a stall shows in all that it held
// up.
type schedule struct {
	start time.Time
	every time.Duration // 0: when there is room
}

// schedules share a rate evenly among so many lanes, in turn.
func schedules(rate float64, lanes int) []schedule {
	all := make([]schedule, lanes)
	if rate <= 0 {
		return all
	}
	start, gap := time.Now(), float64(time.Second)/rate
	for i := range all {
		all[i] = schedule{start.Add(atMost(gap * float64(i))), atMost(gap * float64(lanes))}
	}
	return all
}

// atMost keeps so many nanoseconds, of a rate that is close to none, within what a duration holds.
func atMost(ns float64) time.Duration { return time.Duration(min(ns, float64(maxGap))) }

// at is when unit n is due.
func (s schedule) at(n int64) time.Time { return s.start.Add(time.Duration(n) * s.every) }

// drive sends until ctx or gone ends it. ready tells whether the next one may go out yet; nil is
// always. send gets each unit's number, from 0, and when it was due.
func (l *lane) drive(ctx context.Context, s schedule, gone <-chan struct{}, ready func() bool, send func(number uint64, due int64) error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	wait := func(d time.Duration) bool {
		timer.Reset(d)
		select {
		case <-timer.C:
			return true
		case <-gone:
		case <-ctx.Done():
		}
		return false
	}
	for n := int64(0); ctx.Err() == nil; n++ {
		if s.every > 0 {
			if d := time.Until(s.at(n)); d > 0 && !wait(d) {
				return nil
			}
		}
		for ready != nil && !ready() {
			if !wait(pollEvery) {
				return nil
			}
		}
		select {
		case l.slots <- struct{}{}:
		case <-gone:
			return nil
		case <-ctx.Done():
			return nil
		}
		due := time.Now()
		if s.every > 0 {
			due = s.at(n)
		}
		if err := l.send(due.UnixNano(), send); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) send(due int64, send func(number uint64, due int64) error) error {
	number := uint64(l.sent.Load())
	l.due[number%uint64(len(l.due))].Store(due)
	l.sent.Add(1)
	return send(number, due)
}

// answered books the answer to a unit; of a refusal, what it is counted as and what was said. The
// histogram is that of whoever calls.
func (l *lane) answered(number uint64, h *histogram, refusal, text string) {
	if number >= uint64(l.sent.Load()) || l.accepted.Load()+l.refused.Load() >= l.sent.Load() {
		l.load.tally.add("answer to nothing", 1, fmt.Sprintf("an answer to %d, which was not asked or had been answered", number))
		return
	}
	if refusal == "" {
		l.accepted.Add(1)
	} else {
		l.refused.Add(1)
		l.load.tally.add(refusal, 1, text)
	}
	if due := l.due[number%uint64(len(l.due))].Load(); l.load.measured(due) {
		h.add(age(due))
	}
	select {
	case <-l.slots:
	default: // the lane's slots are those of its units: it cannot get here
	}
}

// unanswered is how many units have been sent and not answered.
func (l *lane) unanswered() int64 {
	answered := l.accepted.Load() + l.refused.Load()
	return l.sent.Load() - answered
}
