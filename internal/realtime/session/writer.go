package session

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// A write takes at most this much, so that a fast room does not keep a worker from the others. Fewer
// frames cost more system calls: with 64, a room of 1,000 gets a quarter less done.
const (
	maxWriteFrames = 256
	maxWriteBytes  = 64 << 10
)

// stallCheck is how often the Writer looks whether all of its workers are stuck.
const stallCheck = 10 * time.Millisecond

// Writer writes what sessions have queued, with as many goroutines as there are processors.
// A connection whose client does not read may block its worker; when sessions wait and no worker
// has come free for stallCheck, the number of free ones is doubled, so that any number of stuck
// clients delays the others by a few checks at most. Workers that were just added and have not begun
// yet, as on a busy machine, are free ones: there are never more workers than sessions that are
// written to or wait. Surplus workers end when they come back.
type Writer struct {
	mu      sync.Mutex
	wake    sync.Cond
	ready   []*Session
	head    int
	workers int
	busy    int // workers that have a session
	idle    int
	taken   uint64 // sessions handed to workers, ever
	stopped bool
	base    int
	wg      sync.WaitGroup
}

// NewWriter returns a Writer without goroutines; Run starts them.
func NewWriter() *Writer {
	w := &Writer{base: runtime.GOMAXPROCS(0)}
	w.wake.L = &w.mu
	return w
}

// Wake hands sessions with frames to write to the workers. It does not block.
func (w *Writer) Wake(sessions ...*Session) {
	if len(sessions) == 0 {
		return
	}
	w.mu.Lock()
	w.ready = append(w.ready, sessions...)
	n := min(w.idle, len(sessions))
	w.mu.Unlock()
	for ; n > 0; n-- {
		w.wake.Signal()
	}
}

// Run works until ctx ends, then returns once every worker has.
func (w *Writer) Run(ctx context.Context) error {
	w.add(w.base)
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

// relieve adds workers when none came free since the last look although sessions wait.
func (w *Writer) relieve(last uint64) uint64 {
	w.mu.Lock()
	taken, waiting, busy, stuck := w.taken, len(w.ready)-w.head, w.busy, w.busy == w.workers
	w.mu.Unlock()
	if stuck && waiting > 0 && taken == last {
		w.add(min(busy, waiting))
	}
	return taken
}

func (w *Writer) add(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		w.workers++
		w.wg.Add(1)
		go w.work()
	}
}

// next waits for a session to serve, and returns nil when the worker is to end. The worker comes back
// from one that it had, unless it is new, and that one may have more.
func (w *Writer) next(had *Session, again bool) *Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	if had != nil {
		w.busy--
	}
	if again {
		w.ready = append(w.ready, had)
	}
	for w.head == len(w.ready) {
		if w.stopped || w.workers > w.base && w.idle >= w.base {
			w.workers--
			return nil
		}
		w.idle++
		w.wake.Wait()
		w.idle--
	}
	s := w.ready[w.head]
	w.ready[w.head] = nil
	w.head++
	w.taken++
	w.busy++
	if w.head == len(w.ready) {
		w.ready, w.head = w.ready[:0], 0
	}
	return s
}

func (w *Writer) work() {
	defer w.wg.Done()
	var b batch
	var s *Session
	for again := false; ; {
		if s = w.next(s, again); s == nil {
			return
		}
		again = s.write(&b)
		b.reset()
		// What the transport has to do for this session, it does now, while the frames are in the
		// processor's cache, and not after every other session has been through here.
		runtime.Gosched()
	}
}

// batch is a worker's scratch space.
type batch struct {
	items []item
	out   []transport.Outgoing
}

func (b *batch) reset() {
	clear(b.items)
	clear(b.out)
	b.items, b.out = b.items[:0], b.out[:0]
}

// write writes one batch of what is queued and tells whether there is more.
func (s *Session) write(b *batch) (more bool) {
	s.mu.Lock()
	conn := s.conn
	if s.queue.mortal > 0 {
		s.expireLocked(time.Now())
	}
	if conn == nil || s.greeting || s.queue.unsent() == 0 {
		s.restLocked()
		s.mu.Unlock()
		return false
	}
	var first uint64
	b.items, first = s.queue.take(b.items, maxWriteFrames, maxWriteBytes, s.Resume)
	s.mu.Unlock()

	for i, it := range b.items {
		out := transport.Outgoing{Frame: it.enc}
		if s.Resume {
			out.Link = first + uint64(i)
		}
		b.out = append(b.out, out)
	}
	if err := conn.Write(b.out); err != nil {
		return s.writeFailed(conn)
	}
	s.core.Metrics.Deliveries.Add(float64(len(b.items)))
	s.core.Metrics.Writes.Inc()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = time.Now()
	if first == s.queue.acked+1 {
		s.unacked = s.progress
	}
	if s.state == Closed {
		s.restLocked()
		return false
	}
	if !s.Resume {
		s.awaitedWrittenLocked(first + uint64(len(b.items)) - 1)
	}
	for _, it := range b.items {
		if it.sub != nil {
			if it.required {
				it.sub.required = append(it.sub.required, it.seq)
			}
			s.writtenLocked(it.sub, it.seq)
		}
	}
	s.catchUpLocked()
	if s.queue.unsent() == 0 {
		s.restLocked()
		return false
	}
	return true
}

// writeFailed gives the connection up. What a session that resumes had taken stays in its queue;
// any other session ends with its connection, and its cursors have not moved.
func (s *Session) writeFailed(conn transport.Conn) (more bool) {
	conn.Close(transport.ConnLost)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn != conn && !s.greeting && s.queue.unsent() > 0 {
		return true // resumed on another connection meanwhile
	}
	s.restLocked()
	return false
}

func (s *Session) restLocked() {
	s.writing = false
	s.drainedLocked()
}
