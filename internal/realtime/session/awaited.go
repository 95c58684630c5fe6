package session

import "github.com/game-im/hermod/internal/realtime/frame"

// awaited is a frame in a session's queue, or on its way to the client, of which somebody wants to know
// whether the client acknowledges it.
type awaited struct {
	link uint64 // number of the frame in its session
	// written is set when the frame went to a connection whose client has no numbers: the next
	// thing heard from it acknowledges the frame.
	written bool
	interest
}

// OfferAwaited does what Offer does, for a caller who waits for the client to acknowledge the frame.
// When it answers Queued, exactly one value follows on settled, unless Forget comes first: Acked, Kept
// when the connection was lost and the session waits for its client, Expired, or Unsure or Gone when
// the session has ended. Settled must have room for the value: the session does not wait for a reader.
// fate is as for Offer, and joined when the frame was Queued as well.
func (s *Session) OfferAwaited(f *frame.Frame, connected bool, settled chan<- Offered, fate *Fate) (o Offered, wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offerLocked(f, connected, interest{settled, fate})
}

// awaitLastLocked notes who wants to know of the frame that was queued last.
func (s *Session) awaitLastLocked(who interest) {
	if !who.none() {
		s.awaited = append(s.awaited, awaited{link: s.queue.acked + uint64(s.queue.len()), interest: who})
	}
}

// Forget drops what is awaited under settled: nobody waits for it any more. No value follows.
func (s *Session) Forget(settled chan<- Offered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.awaited[:0]
	for _, a := range s.awaited {
		if a.settled == settled {
			a.settled = nil
		}
		if !a.none() {
			kept = append(kept, a)
		}
	}
	s.awaited = trimmed(kept, s.awaited)
	s.eachWaitingLocked(func(i *interest) {
		if i.settled == settled {
			i.settled = nil
		}
	})
}

// eachWaitingLocked visits the frames that have no number yet.
func (s *Session) eachWaitingLocked(visit func(*interest)) {
	if s.held != nil {
		for i := range s.held.frames {
			visit(&s.held.frames[i].interest)
		}
	}
	if s.requests != nil {
		for i := range s.requests.bound {
			visit(&s.requests.bound[i].interest)
		}
	}
}

// Awaited counts what somebody waits for.
func (s *Session) Awaited() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := func(i *interest) {
		if i.settled != nil {
			n++
		}
	}
	for i := range s.awaited {
		count(&s.awaited[i].interest)
	}
	s.eachWaitingLocked(count)
	return n
}

// awaitedAckedLocked settles what the client has acknowledged by number.
func (s *Session) awaitedAckedLocked() {
	n := 0
	for n < len(s.awaited) && s.awaited[n].link <= s.queue.acked {
		s.awaited[n].end(Acked)
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
		s.awaited[n].end(Acked)
		n++
	}
	s.dropAwaitedLocked(n)
}

// detachAwaitedLocked answers those who wait, of a session that has lost its connection and goes on.
func (s *Session) detachAwaitedLocked() {
	kept := s.awaited[:0]
	for _, a := range s.awaited {
		if a.detach(); !a.none() {
			kept = append(kept, a)
		}
	}
	s.awaited = trimmed(kept, s.awaited)
	s.eachWaitingLocked((*interest).detach)
}

// endAwaitedLocked settles everything awaited of a session that is over.
func (s *Session) endAwaitedLocked() {
	taken := s.queue.reached // up to it, frames may have reached the client
	for _, a := range s.awaited {
		if a.link <= taken {
			a.end(Unsure)
		} else {
			a.end(Gone)
		}
	}
	s.eachWaitingLocked(func(i *interest) { i.end(Gone) })
	s.awaited, s.held, s.requests = nil, nil, nil
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
