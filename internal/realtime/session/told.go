package session

import (
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// Turn is what happens in the life of a session on this node.
type Turn uint8

// The turns. For one session they alternate: Opened, any number of Lost and Resumed, and Over; one that came from
// another node begins with Resumed or Over, and one that goes to another ends with Lost.
const (
	Opened  Turn = iota // it is known from now on
	Resumed             // on another connection
	Lost                // the connection; the session waits for its client, here or on another node
	Over
)

// Event is a turn, and how it was.
type Event struct {
	Turn    Turn
	Session *Session
	GID     int64
	Peer    transport.Peer       // of its connection, or of the one that was lost; zero: there was none
	Why     transport.Disconnect // with Lost and Over; zero: it has gone to another node
	At      time.Time
}

// OnEvent has told called at each turn of every session, in their order for one session. It is called before there
// are any. told runs under the lock of the session, so it does not block and calls none of its methods.
func (c *Core) OnEvent(told func(Event)) { c.told = told }

// Opened tells that the session is known from now on. It is called before it can be found.
func (s *Session) Opened() {
	if s.core.told == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tellLocked(Opened, s.conn, transport.Disconnect{})
}

func (s *Session) tellLocked(turn Turn, conn transport.Conn, why transport.Disconnect) {
	if s.core.told == nil {
		return
	}
	e := Event{Turn: turn, Session: s, GID: s.gid, Why: why, At: time.Now()}
	if known, ok := conn.(transport.Peered); ok {
		e.Peer = known.Peer()
	}
	s.core.told(e)
}

// causeLocked is why a connection has ended that the reader has left: what the node closed it for, unless the client
// meant it.
func (s *Session) causeLocked(why transport.Disconnect) transport.Disconnect {
	if s.closed != nil && why.Code != transport.Ended.Code {
		return *s.closed
	}
	return why
}
