package session

import (
	"runtime"
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// A write takes at most this much, so that a fast room does not keep a worker from the others. Fewer
// frames cost more system calls: with 64, a room of 1,000 gets a quarter less done.
const (
	maxWriteFrames = 256
	maxWriteBytes  = 64 << 10
)

// batch is what is on its way to one connection, in a worker's scratch space.
type batch struct {
	conn  transport.Conn
	items []item
	out   []transport.Outgoing
	first uint64 // number of the first frame
}

func (b *batch) reset() {
	clear(b.items)
	clear(b.out)
	b.conn, b.items, b.out = nil, b.items[:0], b.out[:0]
}

// fill takes what is queued. It is false when there is nothing to write, and the session at rest.
func (s *Session) fill(b *batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || s.greeting {
		s.restLocked()
		return false
	}
	b.conn = s.conn
	if s.queue.unsent() == 0 {
		if s.fillAsideLocked(b) {
			return true
		}
		s.restLocked()
		return false
	}
	b.items, b.first = s.queue.take(b.items, maxWriteFrames, maxWriteBytes, s.Resume)
	for i, it := range b.items {
		out := transport.Outgoing{Frame: it.enc}
		if s.Resume {
			out.Link = b.first + uint64(i)
		}
		b.out = append(b.out, out)
		if it.sub != nil {
			it.sub.taken = max(it.sub.taken, it.seq)
		}
	}
	return true
}

// write writes a batch of a session and returns the session again when it has more, and the scratch
// space for the next batch.
func (w *Writer) write(s *Session, b *batch) (again *Session, next *batch) {
	eager, ok := b.conn.(transport.Eager)
	if !ok {
		again = s.written(b, b.conn.Write(b.out))
		// What the transport has to do for this session, it does now, while the frames are in the
		// processor's cache, and not after every other session has been through here.
		runtime.Gosched()
		return again, b
	}
	whole, err := eager.TryWrite(b.out)
	if whole || err != nil {
		return s.written(b, err), b
	}
	// The client is slow: from here on it holds up nobody else.
	w.wg.Go(func() {
		if s.written(b, eager.Flush()) != nil {
			w.Wake(s)
		}
	})
	return nil, &batch{}
}

// written notes what became of a batch, and returns the session when it has more.
func (s *Session) written(b *batch, err error) (again *Session) {
	defer b.reset()
	var more bool
	if err != nil {
		more = s.writeFailed(b.conn)
	} else {
		s.core.Metrics.Deliveries.Add(float64(len(b.out)))
		s.core.Metrics.Writes.Inc()
		more = s.wrote(b)
	}
	if more {
		return s
	}
	return nil
}

func (s *Session) wrote(b *batch) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = time.Now()
	if len(b.items) > 0 && b.first == s.queue.acked+1 {
		s.unacked = s.progress
	}
	if s.state == Closed {
		s.restLocked()
		return false
	}
	if !s.Resume {
		s.awaitedWrittenLocked(b.first + uint64(len(b.items)) - 1)
	}
	for _, it := range b.items {
		if it.sub == nil {
			continue
		}
		if it.required && it.seq > it.sub.received {
			it.sub.required = append(it.sub.required, it.seq)
		}
		s.writtenLocked(it.sub, it.seq)
	}
	s.catchUpLocked()
	s.wroteAsideLocked()
	if !s.pendingLocked() {
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
	s.wroteAsideLocked()
	if s.conn != nil && s.conn != conn && !s.greeting && s.pendingLocked() {
		return true // resumed on another connection meanwhile
	}
	s.restLocked()
	return false
}

func (s *Session) restLocked() {
	s.writing = false
	s.drainedLocked()
}
