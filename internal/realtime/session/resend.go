package session

import "time"

// Resend lets everything that the client has not acknowledged for Config.AckTimeout be written again,
// with its old numbers, at most Config.MaxResends times before the client acknowledges anything. What
// is still missing then waits for the next resume. It returns true when a writer has to be woken.
func (s *Session) Resend(now time.Time) (wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.core.Config()
	if s.state != Active || s.greeting || s.writing || s.queue.sent == 0 ||
		s.resends >= c.MaxResends || now.Sub(s.unacked) < c.AckTimeout {
		return false
	}
	s.resends++
	s.unacked = now
	s.core.Metrics.Retransmits.Add(float64(s.queue.rewind()))
	return s.wakeLocked()
}
