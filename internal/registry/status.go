package registry

import "sync/atomic"

// Status is how a node stands with its registry, for people: a line of text, or "" for a node that
// registers nowhere. Safe for concurrent use; the zero value says nothing.
type Status struct{ text atomic.Pointer[string] }

func (s *Status) set(text string) { s.text.Store(&text) }

func (s *Status) String() string {
	if text := s.text.Load(); text != nil {
		return *text
	}
	return ""
}
