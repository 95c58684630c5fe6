package session

// SetAway notes what the client says of its user: that he does not look, or that he does again. It tells
// whether that is new; a session that has ended says nothing.
func (s *Session) SetAway(away bool) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Closed || s.away == away {
		return false
	}
	s.away = away
	return true
}

// Away tells whether the client said that its user does not look.
func (s *Session) Away() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away
}
