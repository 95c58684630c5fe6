package data

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
)

// queue holds what waits for the next commit, in the order in which it was appended. Its bounds
// count entries until they are released, which is when they were answered.
type queue struct {
	opts  LogOptions
	gauge prometheus.Gauge

	mu       sync.Mutex
	ready    sync.Cond
	waiting  []*entry
	messages int // pushed and not released
	bytes    int
	deadline time.Time // zero until close
}

func newQueue(opts LogOptions, gauge prometheus.Gauge) *queue {
	q := &queue{opts: opts, gauge: gauge}
	q.ready.L = &q.mu
	return q
}

// push adds an entry or refuses it.
func (q *queue) push(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.deadline.IsZero():
		return errStopped()
	case q.messages >= q.opts.QueuedMessages, q.messages > 0 && q.bytes+e.size > q.opts.QueuedBytes:
		return errOverloaded()
	}
	q.messages++
	q.bytes += e.size
	q.gauge.Set(float64(q.messages))
	q.waiting = append(q.waiting, e)
	if len(q.waiting) == 1 {
		q.ready.Signal()
	}
	return nil
}

// take waits for entries and returns those of the next commit; none when the queue was closed and
// all were taken. inTime is false when the deadline for committing them is over.
func (q *queue) take() (batch []*entry, inTime bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && q.deadline.IsZero() {
		q.ready.Wait()
	}
	n := q.batchLenLocked()
	batch = q.waiting[:n:n]
	// Appending goes on behind the batch; once it outgrows the array, that is left to the batch.
	q.waiting = q.waiting[n:]
	return batch, q.deadline.IsZero() || time.Now().Before(q.deadline)
}

func (q *queue) batchLenLocked() int {
	bytes := 0
	for i, e := range q.waiting {
		bytes += e.size
		if i == q.opts.BatchRows || i > 0 && bytes > q.opts.BatchBytes {
			return i
		}
	}
	return len(q.waiting)
}

// join takes what waits for the rooms of a batch, as far as the batch has room for it. Each room keeps its order.
func (q *queue) join(batch []*entry, rooms map[biz.RoomID]int) (more []*entry) {
	rows, bytes := len(batch), 0
	for _, e := range batch {
		bytes += e.size
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.waiting[:0]
	for i, e := range q.waiting {
		if rows == q.opts.BatchRows || i == q.opts.BatchRows || bytes+e.size > q.opts.BatchBytes {
			left = append(left, q.waiting[i:]...)
			break
		}
		if _, ok := rooms[e.draft.Room]; !ok {
			left = append(left, e)
			continue
		}
		more, rows, bytes = append(more, e), rows+1, bytes+e.size
	}
	clear(q.waiting[len(left):])
	q.waiting = left
	return more
}

// admit counts entries that come from elsewhere, to be released.
func (q *queue) admit(entries []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages += len(entries)
	q.gauge.Set(float64(q.messages))
}

// release makes room after entries were answered.
func (q *queue) release(entries []*entry) {
	bytes := 0
	for _, e := range entries {
		bytes += e.size
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages -= len(entries)
	q.bytes -= bytes
	q.gauge.Set(float64(q.messages))
}

// close lets nothing in any more and starts the time for what is waiting.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deadline.IsZero() {
		q.deadline = time.Now().Add(q.opts.DrainTimeout)
		q.ready.Broadcast()
	}
}
