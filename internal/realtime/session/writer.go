package session

import (
	"context"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// stallCheck is how often the Writer looks whether all of its workers are stuck.
const stallCheck = 10 * time.Millisecond

// yieldEvery is after how many tasks a worker lets other goroutines run. One that never waits for a client
// would keep its processor until it is taken away, some 10 ms later, and what came in meanwhile, which the
// same writes could have taken along, would wait for so long.
const yieldEvery = 4

// maxStrikes bounds the crew that relieves a stuck one, as a power of two.
const maxStrikes = 12

// Fanout is what waits to be handed to many sessions at once: a channel with publications.
type Fanout interface {
	// Spread queues everything that waits in the sessions concerned, and wakes them.
	Spread()
}

// task is what a worker does next: one of the two.
type task struct {
	session *Session
	fanout  Fanout
}

// Writer writes what sessions have queued, with as many goroutines as there are processors. Sessions
// and fan-outs take their turn in one line: what is published while others are written to is spread
// in one go when its turn comes, so that a busy node does more at a time and not more often.
//
// A connection that can (see transport.Eager) is written to without waiting for its client: what the
// client does not take at once is left to a goroutine of its own. Any other connection whose client
// does not read may block its worker. When somebody waits and no worker has come free for stallCheck,
// a new crew takes over, twice as large each time this happens in succession, so that any number of
// stuck clients delays the others by a few checks at most; workers of the old crew end when they come
// back.
type Writer struct {
	log     *slog.Logger
	mu      sync.Mutex
	wake    sync.Cond
	ready   []task
	head    int
	base    int
	crew    int // number of the crew that works; workers of others end
	workers int // of the crew
	busy    int // of these
	strikes int // how many crews were stuck in succession
	idle    int
	done    uint64 // tasks that workers of the crew of the time came back from, ever
	stopped bool
	wg      sync.WaitGroup
}

// NewWriter returns a Writer without goroutines; Run starts them.
func NewWriter(log *slog.Logger) *Writer {
	w := &Writer{log: log, base: runtime.GOMAXPROCS(0)}
	w.wake.L = &w.mu
	return w
}

// Wake hands sessions with frames to write to the workers. It does not block.
func (w *Writer) Wake(sessions ...*Session) {
	if len(sessions) == 0 {
		return
	}
	w.mu.Lock()
	for _, s := range sessions {
		w.ready = append(w.ready, task{session: s})
	}
	n := min(w.idle, len(sessions))
	w.mu.Unlock()
	for ; n > 0; n-- {
		w.wake.Signal()
	}
}

// Fan hands over a fan-out, which is spread once. It does not block.
func (w *Writer) Fan(f Fanout) {
	w.mu.Lock()
	w.ready = append(w.ready, task{fanout: f})
	w.mu.Unlock()
	w.wake.Signal()
}

// Run works until ctx ends, then returns once every worker has.
func (w *Writer) Run(ctx context.Context) error {
	w.mu.Lock()
	w.hireLocked(w.base)
	w.mu.Unlock()
	tick := time.NewTicker(stallCheck)
	defer tick.Stop()
	last := uint64(0)
	for {
		select {
		case <-ctx.Done():
			w.stop()
			return nil
		case <-tick.C:
			last = w.relieve(last)
		}
	}
}

func (w *Writer) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.wake.Broadcast()
	w.wg.Wait()
}

// relieve lets a new crew take over when none of the workers came free since the last look although
// there is something to do. On a busy machine that may be said of workers who were not stuck but
// waited for a processor; then the new crew is as large as the old one, and nothing is lost.
func (w *Writer) relieve(last uint64) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiting := w.head < len(w.ready)
	if waiting && w.busy < w.workers && w.done == last {
		return last // some have not begun yet
	}
	if !waiting || w.done != last {
		if w.strikes = 0; w.workers > w.base {
			w.wake.Broadcast() // so that the surplus ends
		}
		return w.done
	}
	w.crew++
	w.workers, w.busy = 0, 0
	w.hireLocked(w.base << w.strikes)
	w.strikes = min(w.strikes+1, maxStrikes)
	return w.done
}

func (w *Writer) hireLocked(n int) {
	w.workers += n
	for range n {
		crew := w.crew
		w.wg.Go(func() { w.work(crew) })
	}
}

// next waits for a task, after putting again in line, if there is such. A worker that comes back from
// a task says so. It is false when the worker is to end.
func (w *Writer) next(crew int, back bool, again *Session) (t task, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if again != nil {
		w.ready = append(w.ready, task{session: again})
	}
	if crew != w.crew {
		w.wake.Signal() // for what was put in line
		return task{}, false
	}
	if back {
		w.busy--
		w.done++
	}
	for {
		if w.workers > w.base && w.strikes == 0 {
			w.workers--
			w.wake.Signal() // the call that this one may have answered
			return task{}, false
		}
		if w.head < len(w.ready) {
			return w.takeLocked(), true
		}
		if w.stopped {
			return task{}, false
		}
		w.idle++
		w.wake.Wait()
		w.idle--
	}
}

func (w *Writer) takeLocked() task {
	t := w.ready[w.head]
	w.ready[w.head] = task{}
	w.head++
	w.busy++
	switch {
	case w.head == len(w.ready):
		w.ready, w.head = w.ready[:0], 0
	case w.head >= compactAt && w.head*2 >= len(w.ready): // the line of a busy node is never empty
		n := copy(w.ready, w.ready[w.head:])
		clear(w.ready[n:])
		w.ready, w.head = w.ready[:n], 0
	}
	return t
}

func (w *Writer) work(crew int) {
	b := &batch{}
	var again *Session
	for tasks := 0; ; tasks++ {
		if tasks%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
		t, ok := w.next(crew, tasks > 0, again)
		if !ok {
			return
		}
		again = nil
		switch {
		case t.fanout != nil:
			w.spread(t.fanout)
		case t.session.fill(b):
			again, b = w.write(t.session, b)
		}
	}
}

// spread survives a panic, which would be that of an encoder: a frame that cannot be encoded is no
// reason for a node to end.
func (w *Writer) spread(f Fanout) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("a fan-out panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	f.Spread()
}
