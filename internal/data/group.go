package data

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// maxJobs bounds a shared transaction, so that messages do not wait long for a storm of joins.
const maxJobs = 128

// job is one caller's part of a shared transaction.
type job struct {
	ctx       context.Context
	locks     lockPlace
	asked     time.Time
	run       func(*tx) error
	committed func()
	finished  bool // guarded by writer.mu
	err       error
}

type jobs struct {
	mu      sync.Mutex
	waiting []*job
}

// do runs fn in a transaction that it shares with whoever else is waiting to write: the first to
// get hold of the writer does the work of all. An error of fn undoes that part alone. fn gets one
// goroutine, not necessarily the caller's. The error is one for callers of the package.
func (w *writer) do(ctx context.Context, fn func(*tx) error, committed func()) error {
	return w.doFor(ctx, lockNothing, fn, committed)
}

// doFor is do for what locks a row that others want as well, before it does anything else.
func (w *writer) doFor(ctx context.Context, locks lockPlace, fn func(*tx) error, committed func()) error {
	j := &job{ctx: ctx, locks: locks, asked: time.Now(), run: fn, committed: committed}
	w.jobs.add(j)
	w.lock()
	defer w.mu.Unlock()
	for !j.finished {
		w.runJobsLocked(w.jobs.take())
	}
	return storeError(overdue(ctx, j.err))
}

func (q *jobs) add(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, j)
}

func (q *jobs) take() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(maxJobs, len(q.waiting))
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

func (q *jobs) putBack(batch []*job) {
	if len(batch) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(batch, q.waiting...)
}

// runJobsLocked does what a transaction has time for; the rest waits for the next one, so that a slow
// database makes shared transactions short and not long.
func (w *writer) runJobsLocked(batch []*job) {
	asked := batch[len(batch)-1].asked // nobody later
	slices.SortStableFunc(batch, func(a, b *job) int { return a.locks.compare(b.locks) })
	began, todo := time.Now(), batch
	err := w.performLocked(transaction{
		asked: asked,
		run: func(t *tx) error {
			for i, j := range batch {
				if t.dialect.remote && time.Since(began) > w.timeout/2 && i > 0 {
					todo = batch[:i]
					return nil
				}
				if err := w.runJob(t, j); err != nil {
					return err
				}
			}
			return nil
		},
		committed: func() {
			for _, j := range todo {
				if j.err == nil {
					j.committed()
				}
			}
		},
	})
	w.jobs.putBack(batch[len(todo):])
	for _, j := range todo {
		if j.err == nil {
			j.err = err
		}
		j.finished = true
	}
}

// runJob runs a job in a savepoint and leaves its error in it. What it returns ends the transaction
// for the others as well: after a fault of the database SQLite may have rolled back by itself, as MySQL
// has after a deadlock, and whoever went on would write outside of any transaction.
func (w *writer) runJob(t *tx, j *job) error {
	if j.err = j.ctx.Err(); j.err != nil {
		return nil
	}
	if err := t.control("SAVEPOINT job"); err != nil {
		return err
	}
	if j.err = w.guarded(t, j.run); j.err == nil {
		return t.control("RELEASE SAVEPOINT job")
	}
	switch faultOf(j.err) {
	case storeFault, conflictFault:
		return j.err
	}
	// Only RELEASE takes the savepoint itself away.
	if err := t.control("ROLLBACK TO SAVEPOINT job"); err != nil {
		return err
	}
	return t.control("RELEASE SAVEPOINT job")
}

// guarded turns a panic, which would take down callers that have nothing to do with it, into an
// error.
func (w *writer) guarded(t *tx, fn func(*tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.logger.Error("panic in a transaction", "panic", p, "stack", string(debug.Stack()))
			err = biz.Errorf(biz.KindInternal, "INTERNAL", "internal error").Because(fmt.Errorf("panic: %v", p))
		}
	}()
	return fn(t)
}
