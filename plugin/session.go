package plugin

import (
	"context"
	"time"
)

// SessionObserver is the capability to hear who connects and who goes.
type SessionObserver interface {
	// ObserveSession is told of a change after it has happened. In a cluster the node that has the
	// session tells its own plugin, and no other: when a session moves to another node, that one tells of
	// a resumption.
	//
	// It is called by one goroutine at a time, the same that calls ObserveMessage and ObserveRoom, in the
	// order of the changes within a session. All that is said of ObserveMessage's deadline, queue and
	// errors holds here; a node that is killed tells of no end. An implementation ignores a Kind that it
	// does not know.
	ObserveSession(ctx context.Context, e SessionEvent) error
}

// SessionEventKind says what has happened to a session.
type SessionEventKind uint8

// What happens to sessions.
const (
	Connected SessionEventKind = iota + 1 // a new session
	Resumed                               // a connection has taken up a session that had been left
	Detached                              // the connection is lost, and the client may resume
	Ended                                 // the session is over
)

func (k SessionEventKind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Resumed:
		return "resumed"
	case Detached:
		return "detached"
	case Ended:
		return "ended"
	}
	return "unknown"
}

// SessionEvent is a change of a session.
type SessionEvent struct {
	Kind      SessionEventKind
	SessionID string
	UserID    string
	GID       int64 // 0: none
	DeviceID  string
	Protocol  string // im or gateway
	Transport string // such as websocket, quic or grpc; empty with Ended when no connection was left
	Address   string // of the client, as the node sees it; empty when no connection was left
	// Code says why a connection or session has ended, by the node's table of close codes, with Detached
	// and Ended; 0: it does not say.
	Code   int
	Reason string
	Time   time.Time
}
