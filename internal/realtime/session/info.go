package session

import (
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// Info is a session at a moment, for those who look after it.
type Info struct {
	State      State
	Held       bool // its client is not let in yet; see Options.Hold
	GID        int64
	Peer       transport.Peer // of its connection; zero without one
	LastActive time.Time      // when something last came from its client

	QueueFrames, QueueBytes int    // waiting to be written, or written and not acknowledged
	Unsent                  int    // of QueueFrames those that were not written
	LastSent, LastAcked     uint64 // numbers of the last frames that were written, and that are gone
}

// Info returns the session's state.
func (s *Session) Info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := Info{
		State: s.state, Held: s.barred, GID: s.gid, LastActive: time.Unix(0, s.heard.Load()),
		QueueFrames: s.queue.len(), QueueBytes: s.queue.bytes, Unsent: s.queue.unsent(),
		LastSent: s.queue.reached, LastAcked: s.queue.acked,
	}
	if known, ok := s.conn.(transport.Peered); ok {
		info.Peer = known.Peer()
	}
	if s.held != nil {
		info.QueueFrames += len(s.held.frames)
		info.Unsent += len(s.held.frames)
		info.QueueBytes += s.held.bytes
	}
	return info
}
