package session

import "time"

// expireLocked drops what has lost its worth before it was ever written: from the queue, from what is held
// back, and from what is bound to answers. What was written once stays, since the client may know its number.
func (s *Session) expireLocked(now time.Time) {
	s.expireHeldLocked(now)
	for _, b := range s.requests.take(func(b boundFrame) bool { return b.frame.Expired(now) }) {
		s.expiredLocked(b)
	}
	if s.queue.mortal == 0 {
		return
	}
	gone := s.queue.expire(now)
	if len(gone) == 0 {
		return
	}
	s.core.Metrics.Expired.Add(float64(len(gone)))
	s.renumberAwaitedLocked(gone)
	s.catchUpLocked()
	if s.queue.unsent() == 0 && !s.writing {
		s.drainedLocked()
	}
}

func (s *Session) expireHeldLocked(now time.Time) {
	if s.held == nil {
		return
	}
	s.core.Metrics.Expired.Add(float64(s.held.expire(now, s.format)))
}

// expiredLocked settles a frame that was bound to an answer and is worth nothing any more.
func (s *Session) expiredLocked(b boundFrame) {
	s.core.Metrics.Expired.Inc()
	b.end(Expired)
}

// renumberAwaitedLocked settles what is awaited and is gone, and follows what has moved up. gone is in
// order, as what is awaited is.
func (s *Session) renumberAwaitedLocked(gone []uint64) {
	kept := s.awaited[:0]
	passed := 0
	for _, a := range s.awaited {
		for passed < len(gone) && gone[passed] < a.link {
			passed++
		}
		if passed < len(gone) && gone[passed] == a.link {
			a.end(Expired)
			continue
		}
		a.link -= uint64(passed)
		kept = append(kept, a)
	}
	s.awaited = trimmed(kept, s.awaited)
}
