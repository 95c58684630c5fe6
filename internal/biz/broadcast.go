package biz

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxPaced bounds the broadcasts with a rate that run at a time: each holds a list of all sessions.
	maxPaced = 16
	// MaxBroadcastRate is the fastest that a paced broadcast may be, in sessions a second.
	MaxBroadcastRate = 1_000_000
	// paceStep is what a paced broadcast pushes at once: what its rate gives in that time.
	paceStep = 50 * time.Millisecond
	// reportEvery is how often it tells how far it is.
	reportEvery = time.Second
)

// Audience is the sessions that a broadcast goes to, each once. Whoever comes later is none of them; the
// successor of one that has ended is. It belongs to one goroutine.
type Audience interface {
	// Len is how many have not had their turn.
	Len() int
	// Next pushes to the next n of them and returns what became of that, with Total n. When a node is
	// found to be gone, all that were left of its sessions have had their turn, and are more than n.
	Next(ctx context.Context, n int) BroadcastCounts
	// Silent is how many nodes did not say which sessions they have: those are not among them.
	Silent() int
}

// BroadcastCounts is what became of a broadcast in the sessions that it was for.
type BroadcastCounts struct {
	Sent    int // queued for a connected session
	Queued  int // it waits in a session that is away
	Slow    int // the session's queue was full
	Skipped int // not logged in yet, or ended before its turn
	Expired int // their turn came too late
	Unknown int // the node that had them is gone, or did not answer
	Total   int
	// Silent is how many other nodes did not answer, or were out of reach, so that nobody knows how many
	// sessions they have, nor which of those have the push. They are in no other count.
	Silent int
}

// Remaining is how many of them have not had their turn.
func (c BroadcastCounts) Remaining() int {
	return c.Total - c.Sent - c.Queued - c.Slow - c.Skipped - c.Expired - c.Unknown
}

// Plus adds what became of some of the sessions to what became of others. The total stays as it is.
func (c BroadcastCounts) Plus(more BroadcastCounts) BroadcastCounts {
	c.Sent += more.Sent
	c.Queued += more.Queued
	c.Slow += more.Slow
	c.Skipped += more.Skipped
	c.Unknown += more.Unknown
	return c
}

// BroadcastResult is what a broadcast was answered.
type BroadcastResult struct {
	BroadcastCounts
	Repeated bool // see PushResult
}

// Broadcast sends p to every connected session. Of the options it knows the key and the TTL: nobody
// waits for everybody, and nothing is kept for everybody.
func (s *Pushes) Broadcast(ctx context.Context, p *Push, o PushOptions) (BroadcastResult, error) {
	return s.broadcast(ctx, p, o, func(ctx context.Context) (BroadcastCounts, error) {
		return s.sessions.Broadcast(ctx, p), nil
	})
}

// Pace is how a broadcast is spread over time.
type Pace struct {
	PerSecond int // sessions a second, up to MaxBroadcastRate
	// Report is told how far the broadcast is: when it begins and about once a second. An error of it
	// ends the broadcast, as the end of the context and Stop do.
	Report func(BroadcastCounts) error
}

// PaceBroadcast is a Broadcast to so many sessions a second. One that is cut short has an error as
// well as a result, which tells how far it got.
func (s *Pushes) PaceBroadcast(ctx context.Context, p *Push, pace Pace, o PushOptions) (BroadcastResult, error) {
	if pace.PerSecond < 1 || pace.PerSecond > MaxBroadcastRate {
		return BroadcastResult{}, Errorf(KindInvalid, "INVALID_REQUEST",
			"clients_per_second is %d; 1 to %d is allowed", pace.PerSecond, MaxBroadcastRate)
	}
	ctx, done, err := s.paced.enter(ctx)
	if err != nil {
		return BroadcastResult{}, err
	}
	defer done()
	var cut error
	o.Bound = "paced" // another request than one for a broadcast at once
	result, err := s.broadcast(ctx, p, o, func(ctx context.Context) (counts BroadcastCounts, _ error) {
		counts, cut = s.pace(ctx, p, pace)
		return counts, nil // what was pushed was pushed: a repetition is told the same
	})
	if err == nil {
		err = cut
	}
	return result, err
}

func (s *Pushes) pace(ctx context.Context, p *Push, pace Pace) (counts BroadcastCounts, err error) {
	everybody := s.sessions.Audience(ctx, p)
	counts.Total, counts.Silent = everybody.Len(), everybody.Silent()
	burst := max(1, int(int64(pace.PerSecond)*int64(paceStep)/int64(time.Second)))
	limit := rate.NewLimiter(rate.Limit(pace.PerSecond), burst)
	if err := pace.Report(counts); err != nil {
		return counts, err
	}
	reported := time.Now()
	for everybody.Len() > 0 {
		n := min(burst, everybody.Len())
		if err := limit.WaitN(ctx, n); err != nil {
			return counts, endOf(ctx)
		}
		if p.over(time.Now()) {
			counts.Expired = everybody.Len()
			return counts, nil
		}
		counts = counts.Plus(everybody.Next(ctx, n))
		if time.Since(reported) < reportEvery {
			continue
		}
		if err := pace.Report(counts); err != nil {
			return counts, err
		}
		reported = time.Now()
	}
	return counts, nil
}

// endOf tells why nothing more is waited for in ctx, which has ended or would before the next turn.
func endOf(ctx context.Context) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return context.DeadlineExceeded
}

// broadcast makes a broadcast, once if it has a key.
func (s *Pushes) broadcast(ctx context.Context, p *Push, o PushOptions, push func(context.Context) (BroadcastCounts, error)) (BroadcastResult, error) {
	if o.AckWithin != 0 {
		return BroadcastResult{}, Errorf(KindInvalid, "INVALID_REQUEST", "a broadcast cannot be waited for; push to targets instead")
	}
	o.StoreOffline = false
	if err := s.stamp(p, o); err != nil {
		return BroadcastResult{}, err
	}
	if err := s.authorizeAll(ctx); err != nil {
		return BroadcastResult{}, err
	}
	if o.Key == "" {
		counts, err := push(ctx)
		return BroadcastResult{BroadcastCounts: counts}, err
	}
	a, repeated, err := s.once.do(ctx, keyedRequest{
		key: pushKey(ctx, o), hash: fingerprint("broadcast", nil, p, PushOptions{Bound: o.Bound, TTL: o.TTL}), p: p,
		push: func(ctx context.Context) (PushAnswer, error) {
			counts, err := push(ctx)
			return PushAnswer{Broadcast: counts}, err
		},
		// Not unavailable, which would invite to try again.
		lost: func(context.Context) (PushAnswer, error) { return PushAnswer{}, errLost(KindConflict, o.Key) },
	})
	return BroadcastResult{BroadcastCounts: a.Broadcast, Repeated: repeated}, err
}

// Stop ends the broadcasts that are spread over time, and refuses further ones.
func (s *Pushes) Stop() { s.paced.stop() }

// pacer knows the paced broadcasts that are under way.
type pacer struct {
	mu      sync.Mutex
	running int
	stopped context.Context // ended by stop
	stop    context.CancelFunc
}

func newPacer() *pacer {
	p := &pacer{}
	p.stopped, p.stop = context.WithCancel(context.Background())
	return p
}

// enter lets a broadcast begin, which is to call done at its end, and work in the context.
func (p *pacer) enter(ctx context.Context) (_ context.Context, done func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stopped.Err() != nil:
		return nil, nil, errNotServing()
	case p.running == maxPaced:
		return nil, nil, Errorf(KindResourceLimit, "TOO_MANY_BROADCASTS", "%d broadcasts with a rate are under way; try again when one has ended", maxPaced)
	}
	p.running++
	ctx, cancel := context.WithCancelCause(ctx)
	release := context.AfterFunc(p.stopped, func() { cancel(errNotServing()) })
	return ctx, func() {
		release()
		cancel(nil)
		p.mu.Lock()
		p.running--
		p.mu.Unlock()
	}, nil
}

func errNotServing() *Error {
	return Errorf(KindUnavailable, "NOT_SERVING", "the node is stopping")
}
