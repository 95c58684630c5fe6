package session

import (
	"crypto/rand"
	"crypto/subtle"
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// newTicket returns 130 random bits as text: what one must know to resume a session. It is good
// for one resume, and only with the right user.
func newTicket() string { return rand.Text() }

// Reattach continues the session on another connection for a client that has every frame up to
// last: what it has not acknowledged is written again with its old numbers, then what waits, then
// live. A connection that the session still had is closed. It returns the ticket for the next
// time, or false when the session cannot be continued without a gap; the caller ends it then and
// tells the client to start anew. Nothing is written before Continue, so that the caller can
// greet the client first.
func (s *Session) Reattach(conn transport.Conn, ticket string, last uint64) (next string, ok bool) {
	s.mu.Lock()
	whole := s.state != Closed && s.ticket != "" && !s.lost &&
		last >= s.queue.acked && last <= s.queue.lastSent()
	if !whole || subtle.ConstantTimeCompare([]byte(ticket), []byte(s.ticket)) != 1 {
		s.mu.Unlock()
		return "", false
	}
	old := s.conn
	receipts := s.ackLinkLocked(last)
	s.core.Metrics.Retransmits.Add(float64(s.queue.rewind()))
	s.conn, s.state, s.progress = conn, Active, time.Now()
	s.greeting, s.closing = true, false
	s.ticket = newTicket()
	next = s.ticket
	s.mu.Unlock()

	if old != nil {
		old.Close(transport.Replaced)
	}
	tell(receipts)
	return next, true
}

// Continue lets a session write whose client has been greeted.
func (s *Session) Continue() {
	s.mu.Lock()
	s.greeting = false
	wake := s.wakeLocked()
	s.catchUpLocked()
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}
