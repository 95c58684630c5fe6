package cluster

import (
	"fmt"
	"sync"
)

// line is a message in a room's log.
type line struct {
	seq     int64
	from    string
	content string
}

// speech is what became of something that was said.
type speech struct {
	user, room string
	seq        int64  // 0: it was never acknowledged
	id         string // the server's
}

// speeches is everything that was said, and what went wrong on the way. Safe for concurrent use.
type speeches struct {
	mu     sync.Mutex
	all    map[string]*speech // by content
	faults []string
}

func newSpeeches() *speeches { return &speeches{all: map[string]*speech{}} }

func (s *speeches) begin(user, room, content string) *speech {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[content] != nil {
		s.faults = append(s.faults, fmt.Sprintf("%q was said before: the test is wrong", content))
	}
	m := &speech{user: user, room: room}
	s.all[content] = m
	return m
}

func (s *speeches) taken(m *speech, seq int64, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.seq, m.id = seq, id
}

func (s *speeches) wrong(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// in is what was said in a room, by content.
func (s *speeches) in(room string) map[string]speech {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]speech{}
	for content, m := range s.all {
		if m.room == room {
			found[content] = *m
		}
	}
	return found
}

// ear is what somebody in a room has heard, in the order in which his program was given it.
type ear struct {
	user, room string

	hearing sync.Mutex
	lines   []line
	pushes  map[string]int // how often each came
}

func (e *ear) hear(l line) {
	e.hearing.Lock()
	defer e.hearing.Unlock()
	e.lines = append(e.lines, l)
}

func (e *ear) push(id string) {
	e.hearing.Lock()
	defer e.hearing.Unlock()
	if e.pushes == nil {
		e.pushes = map[string]int{}
	}
	e.pushes[id]++
}

// heard is a copy of everything so far.
func (e *ear) heard() []line {
	e.hearing.Lock()
	defer e.hearing.Unlock()
	return append([]line(nil), e.lines...)
}

// saw tells how often a push came.
func (e *ear) saw(id string) int {
	e.hearing.Lock()
	defer e.hearing.Unlock()
	return e.pushes[id]
}

// reached is the place of the last line that somebody else has said.
func (e *ear) reached() int64 {
	e.hearing.Lock()
	defer e.hearing.Unlock()
	if len(e.lines) == 0 {
		return 0
	}
	return e.lines[len(e.lines)-1].seq
}

// passing are the reasons of refusals that say to try again.
var passing = map[string]bool{
	"STORE_UNAVAILABLE": true, "STORE_OVERLOADED": true, "NOT_SERVING": true, "DEADLINE_EXCEEDED": true,
	"CANCELED": true, "OVERLOADED": true, "RATE_LIMITED": true,
}
