package client

import (
	"strconv"
	"sync"

	"google.golang.org/grpc/metadata"
)

// session is what the server calls a session, as far as this side must remember it: it outlives
// the connection, and is what a reconnect resumes. Safe for concurrent use.
type session struct {
	mu     sync.Mutex
	number uint64 // counts the server sessions of this client; link numbers belong to one of them
	id     string
	ticket string // good for one resume

	pace pace // how fast the server lets it send

	followed uint64 // the number of the session that follows all joined rooms, as far as this side knows

	received uint64 // all frames up to here have arrived
	handled  uint64 // all frames up to here need nothing more
	acked    uint64 // the server was told so up to here
}

// verdict is what a frame's number says about it.
type verdict int

const (
	fresh verdict = iota
	repeated
	missing // frames before it did not arrive
)

// resumeMetadata returns what asks the server to go on with the session, nil when there is none.
func (s *session) resumeMetadata() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == "" || s.ticket == "" {
		return nil
	}
	s.acked = s.handled
	return []string{
		keySessionID, s.id,
		keyResumeTicket, s.ticket,
		keyLastLinkSeq, strconv.FormatUint(s.handled, 10),
	}
}

// open takes over what the server answered and returns the number of the session that now is.
// Unless it was resumed, its frames count from 1 again.
func (s *session) open(header metadata.MD) (number uint64, resumed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resumed = first(header, keyResumed) == "true" && s.id != ""
	if !resumed {
		s.number++
		s.received, s.handled, s.acked = 0, 0, 0
	}
	s.id = first(header, keySessionID)
	s.ticket = first(header, keyResumeTicket)
	s.pace = paceOf(header)
	return s.number, resumed
}

// current returns the number of the present session.
func (s *session) current() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.number
}

// follows tells whether session number is known to follow the joined rooms.
func (s *session) follows(number uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.followed == number
}

// noteFollowed notes that session number follows the joined rooms.
func (s *session) noteFollowed(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followed = max(s.followed, number)
}

func (s *session) allowedPace() pace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pace
}

// forget ends the session: the next connection begins another one.
func (s *session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.ticket = "", ""
}

// arrive notes frame link of the present session. Frame 0 has no number and is always fresh.
func (s *session) arrive(link uint64) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case link == 0:
		return fresh
	case link <= s.received:
		return repeated
	case link != s.received+1:
		return missing
	}
	s.received = link
	return fresh
}

// handle notes that frame link of session number needs nothing more, and returns how many
// handled frames the server does not know about. Frames are handled in the order of arrival.
func (s *session) handle(number, link uint64) (unacked uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number != s.number || link <= s.handled {
		return 0
	}
	s.handled = link
	return s.handled - s.acked
}

// takeAck returns up to where the server is to be told, 0 when it knows. The caller tells it, or
// the connection is lost, and with the next one resumeMetadata tells it.
func (s *session) takeAck() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handled == s.acked {
		return 0
	}
	s.acked = s.handled
	return s.acked
}
