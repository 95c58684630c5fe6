package biz

import (
	"context"
	"sync"
	"sync/atomic"
)

// keepers is how many pushes of one call wait for the store at a time. Those that wait together are
// committed together.
const keepers = 256

// pushAll pushes to every target; the results are in the order of the targets. With
// a wait they are all offered the push before any is waited for, so that the wait is one for all.
func (s *Pushes) pushAll(ctx context.Context, targets []Target, denied denials, p *Push, o PushOptions) []PushResult {
	if o.AckWithin > 0 {
		return s.pushAcked(ctx, targets, denied, p, o)
	}
	results, recipients, at := p.recipients(targets, denied)
	var kept []int // places in recipients
	offered := s.sessions.Batch(ctx, recipients, p)
	for k, out := range offered {
		if out.keeps(recipients[k], p) {
			kept = append(kept, k)
			continue
		}
		results[at[k]] = PushResult{Outcome: out.Outcome, Err: explainOutcome(out, targets[at[k]])}
	}
	InParallel(len(kept), keepers, 1, func(n int) {
		k := kept[n]
		results[at[k]] = s.keepAfter(ctx, offered[k], targets[at[k]], p)
	})
	return results
}

// InParallel calls do for 0 to n-1, in no more than the given number of goroutines, each of which takes
// some at once. What fits into one is done by the caller's own.
func InParallel(n, goroutines, atOnce int, do func(i int)) {
	goroutines = min(goroutines, (n+atOnce-1)/atOnce)
	var next atomic.Int64
	work := func() {
		for {
			end := int(next.Add(int64(atOnce)))
			for i := end - atOnce; i < min(end, n); i++ {
				do(i)
			}
			if end >= n {
				return
			}
		}
	}
	if goroutines <= 1 {
		work()
		return
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(work)
	}
	wg.Wait()
}
