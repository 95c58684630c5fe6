package frames

import "sync"

const (
	// What goes into one frame at most, if it is more than one item: large enough to cost little, and small
	// enough that what comes after need not wait for long.
	batchItems = 512
	batchBytes = 64 << 10
)

// Queue is the items that wait for the next frame, each encoded as a frame of its own. Safe for concurrent
// use, with one goroutine that takes from it. How much waits is bounded by whoever puts: nobody has more
// than MaxUnanswered calls.
type Queue struct {
	more chan struct{} // tells the one who takes; holds one word at most

	mu    sync.Mutex
	items [][]byte
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{more: make(chan struct{}, 1)} }

// Put adds an item, which is the queue's from then on.
func (q *Queue) Put(item []byte) {
	q.mu.Lock()
	q.items = append(q.items, item)
	first := len(q.items) == 1
	q.mu.Unlock()
	if first {
		q.wake()
	}
}

func (q *Queue) wake() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// More has a word when there may be something to take.
func (q *Queue) More() <-chan struct{} { return q.more }

// Take returns what goes into one frame, which is empty if nothing waits. The frame is valid until the
// next one is taken into the same memory.
func (q *Queue) Take(into Frame) Frame {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.items) && n < batchItems {
		bytes += len(q.items[n])
		if n > 0 && bytes > batchBytes {
			break
		}
		n++
	}
	into = append(into[:0], q.items[:n]...)
	left := copy(q.items, q.items[n:])
	clear(q.items[left:])
	q.items = q.items[:left]
	if left > 0 {
		q.wake()
	}
	return into
}
