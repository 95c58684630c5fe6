package biz

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// offersAtOnce is how many targets of a batch one goroutine takes at a time: what a push to a
	// connected session costs is about a microsecond.
	offersAtOnce = 128
	// keepers is how many pushes of one call wait for the store at a time. Those that wait together are
	// committed together.
	keepers = 256
)

// pushAll pushes to every target, to several at once; the results are in the order of the targets. With
// a wait they are all offered the push before any is waited for, so that the wait is one for all.
func (s *Pushes) pushAll(ctx context.Context, targets []Target, p *Push, o PushOptions) []PushResult {
	if o.AckWithin > 0 {
		return s.pushAcked(ctx, targets, p, o)
	}
	results := make([]PushResult, len(targets))
	absent := make([]UserID, len(targets)) // empty: there is a result
	inParallel(len(targets), runtime.GOMAXPROCS(0), offersAtOnce, func(i int) {
		results[i], absent[i] = s.offer(targets[i], p)
	})
	var kept []int
	for i, user := range absent {
		if user != "" {
			kept = append(kept, i)
		}
	}
	inParallel(len(kept), keepers, 1, func(k int) {
		i := kept[k]
		results[i] = s.keep(ctx, absent[i], p)
	})
	return results
}

// inParallel calls do for 0 to n-1, in no more than the given number of goroutines, each of which takes
// some at once. What fits into one is done by the caller's own.
func inParallel(n, goroutines, atOnce int, do func(i int)) {
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
