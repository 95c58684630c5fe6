package session

import "github.com/game-im/hermod/internal/realtime/frame"

// awaited is a frame in a session's queue, or on its way to the client, that somebody waits for the
// client to acknowledge.
type awaited struct {
	link uint64 // number of the frame in its session
	// written is set when the frame went to a connection whose client has no numbers: the next
	// thing heard from it acknowledges the frame.
	written bool
	settled chan<- Offered
}

// OfferAwaited does what Offer does, for a caller who waits for the client to acknowledge the frame.
// When it answers Queued, exactly one value follows on settled, unless Forget comes first: Acked, Kept
// when the connection was lost and the session waits for its client, Expired, or Unsure or Gone when
// the session has ended. Settled must have room for the value: the session does not wait for a reader.
func (s *Session) OfferAwaited(f *frame.Frame, connected bool, settled chan<- Offered) (o Offered, wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offerAwaitedLocked(f, connected, settled)
}

// offerAwaitedLocked is Offer if nobody waits, and settled is nil.
func (s *Session) offerAwaitedLocked(f *frame.Frame, connected bool, settled chan<- Offered) (o Offered, wake bool) {
	before := s.queue.len()
	o, wake = s.offerLocked(f, connected)
	if o != Queued || settled == nil {
		return o, wake
	}
	if s.queue.len() == before {
		return Gone, wake // it could not be encoded
	}
	s.awaited = append(s.awaited, awaited{link: s.queue.acked + uint64(s.queue.len()), settled: settled})
	return o, wake
}

// Forget drops what is awaited under settled: nobody waits for it any more. No value follows.
func (s *Session) Forget(settled chan<- Offered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.awaited[:0]
	for _, a := range s.awaited {
		if a.settled != settled {
			kept = append(kept, a)
		}
	}
	s.awaited = trimmed(kept, s.awaited)
	s.forgetBoundLocked(settled)
}

// Awaited counts what is awaited.
func (s *Session) Awaited() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.awaited)
	if s.requests != nil {
		for _, b := range s.requests.bound {
			if b.settled != nil {
				n++
			}
		}
	}
	return n
}

// awaitedAckedLocked settles what the client has acknowledged by number.
func (s *Session) awaitedAckedLocked() {
	n := 0
	for n < len(s.awaited) && s.awaited[n].link <= s.queue.acked {
		s.awaited[n].settled <- Acked
		n++
	}
	s.dropAwaitedLocked(n)
}

// awaitedWrittenLocked notes what went to the connection of a client without numbers.
func (s *Session) awaitedWrittenLocked(last uint64) {
	for i := 0; i < len(s.awaited) && s.awaited[i].link <= last; i++ {
		s.awaited[i].written = true
	}
}

// awaitedHeardLocked settles what a client without numbers was written before it was heard again.
func (s *Session) awaitedHeardLocked() {
	n := 0
	for n < len(s.awaited) && s.awaited[n].written {
		s.awaited[n].settled <- Acked
		n++
	}
	s.dropAwaitedLocked(n)
}

// abandonAwaitedLocked settles everything awaited of a session that has lost its connection, and is
// over or not.
func (s *Session) abandonAwaitedLocked(over bool) {
	taken := s.queue.reached // up to it, frames may have reached the client
	for _, a := range s.awaited {
		switch {
		case !over:
			a.settled <- Kept
		case a.link <= taken:
			a.settled <- Unsure
		default:
			a.settled <- Gone
		}
	}
	s.awaited = nil
	s.abandonBoundLocked(over)
}

func (s *Session) dropAwaitedLocked(n int) {
	if n > 0 {
		kept := s.awaited[:copy(s.awaited, s.awaited[n:])]
		s.awaited = trimmed(kept, s.awaited)
	}
}

// trimmed returns kept, a front part of all, and lets go of the rest: a session that nobody waits for
// holds no memory for it.
func trimmed(kept, all []awaited) []awaited {
	if len(kept) == 0 {
		return nil
	}
	clear(all[len(kept):])
	return kept
}
