package biz

import "time"

// SessionTurn is what happens in the life of a session.
type SessionTurn uint8

// The turns, which for one session on one node alternate: SessionConnected, any number of SessionDetached and
// SessionResumed, and SessionEnded. One that came from another node begins without the first, and one that goes to
// another ends without the last.
const (
	SessionConnected SessionTurn = iota + 1
	SessionResumed
	SessionDetached
	SessionEnded
)

// SessionEvent is a turn, and how it was.
type SessionEvent struct {
	Turn      SessionTurn
	ID        SessionID
	User      UserID
	GID       int64 // 0: none
	Device    DeviceID
	Protocol  string // im.v1, gateway.v1
	Transport string // grpc, websocket, quic; empty: there was no connection left
	Remote    string // the other end of the connection
	Code      uint32 // why it has ended; 0: it does not say
	Reason    string
	Time      time.Time
}

// SessionWitness is told of all turns, in their order for one session. It does not block.
type SessionWitness func(SessionEvent)
