package session

import (
	"crypto/rand"
	"crypto/subtle"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// newTicket returns 130 random bits as text: what one must know to resume a session. It is good
// for one resume, and only with the right user. That the client has its successor is known when it is
// heard on the new connection; until then it may have lost the answer, and the old one stays good.
func newTicket() string { return rand.Text() }

// Return is a client that comes back to its session.
type Return struct {
	Conn   transport.Conn
	Format *frame.Format // of the connection; nil: that of the one before
	Ticket string
	// Proven means that the client has shown in another way that the session is its own, so that no
	// ticket is asked for.
	Proven bool
	Last   uint64 // number of the last frame that the client has
}

// Reattach continues the session on another connection for a client that has every frame up to
// r.Last: what it has not acknowledged is written again with its old numbers, then what waits, then
// live. A connection that the session still had is closed. It returns the ticket for the next
// time, or false when the session cannot be continued without a gap; the caller ends it then and
// tells the client to start anew. Nothing is written before Continue, so that the caller can
// greet the client first.
func (s *Session) Reattach(r Return) (next string, ok bool) {
	s.mu.Lock()
	if !s.admitsLocked(r) || !s.changeFormatLocked(r.Format) {
		s.mu.Unlock()
		return "", false
	}
	old := s.conn
	receipts := s.ackLinkLocked(r.Last)
	s.expireLocked(time.Now())
	s.core.Metrics.Retransmits.Add(float64(s.queue.rewind()))
	s.dropAsidesLocked()
	s.conn, s.state, s.progress = r.Conn, Active, time.Now()
	s.unacked, s.resends, s.unread = s.progress, 0, time.Time{}
	s.greeting, s.closed = true, nil
	if old != nil {
		s.tellLocked(Lost, old, transport.Replaced)
	}
	s.tellLocked(Resumed, s.conn, transport.Disconnect{})
	s.spent, s.ticket = r.presented(s.spent, s.ticket), newTicket()
	s.unproven.Store(true)
	next = s.ticket
	s.mu.Unlock()

	if old != nil {
		old.Close(transport.Replaced)
	}
	tell(receipts)
	return next, true
}

// admitsLocked tells whether the session is the client's own and can go on without a gap.
func (s *Session) admitsLocked(r Return) bool {
	whole := s.state != Closed && !s.ended && s.ticket != "" && !s.lost &&
		r.Last >= s.queue.acked && r.Last <= s.queue.reached
	return whole && (r.Proven || r.shows(s.ticket) || r.shows(s.spent))
}

func (r *Return) shows(ticket string) bool {
	return ticket != "" && subtle.ConstantTimeCompare([]byte(r.Ticket), []byte(ticket)) == 1
}

// presented returns the ticket that the client has for certain: that with which it came.
func (r *Return) presented(spent, ticket string) string {
	if r.shows(spent) {
		return spent
	}
	return ticket
}

// provenByUse follows the first that is heard on a connection: its client has the ticket that it was
// given there, and the one before is good no more.
func (s *Session) provenByUse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spent = ""
}

// changeFormatLocked makes what waits in the queue frames of another connection's format.
func (s *Session) changeFormatLocked(to *frame.Format) bool {
	if to == nil || to == s.format {
		return true
	}
	if err := s.queue.recode(s.format, to); err != nil {
		s.core.Log.Warn("a session cannot change its format; its client starts anew", "session", s.ID, "error", err)
		return false
	}
	s.format = to
	return true
}

// Continue lets a session write whose client has been greeted on conn. A session that has another connection by now
// waits until that one was greeted, which may not be ready to be written to.
func (s *Session) Continue(conn transport.Conn) {
	s.mu.Lock()
	if s.conn != conn {
		s.mu.Unlock()
		return
	}
	s.greeting = false
	wake := s.wakeLocked()
	s.catchUpLocked()
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

// Welcome answers a client that has come on conn, and does what Continue does. The answer goes in although the queue is
// full, once until the client acknowledges something: who comes back to a full queue begins to take it only then.
func (s *Session) Welcome(conn transport.Conn, answer *frame.Frame) {
	s.mu.Lock()
	if s.state != Closed {
		s.welcomeLocked(answer) // Continue wakes a writer
	}
	s.mu.Unlock()
	s.Continue(conn)
}

func (s *Session) welcomeLocked(answer *frame.Frame) {
	enc, err := answer.In(s.format)
	if err != nil || s.welcomed || !s.fullLocked(enc.Size()) {
		s.keepLocked(item{}, answer)
		return
	}
	s.welcomed, s.overfull = true, false
	s.queue.push(item{enc: enc, kept: true})
}
