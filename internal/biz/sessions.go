package biz

import (
	"context"
	"errors"
	"slices"
	"time"
)

// The states of a session, as services name them.
const (
	StateInited   = "inited"   // its client has not logged in yet
	StateActive   = "active"   // connected
	StateDetached = "detached" // its connection is lost, and it may be resumed
)

// SessionInfo is a session at a moment.
type SessionInfo struct {
	ID         SessionID
	User       UserID
	GID        int64 // 0: none
	Device     DeviceID
	Protocol   string // im.v1, gateway.v1
	Transport  string // grpc, websocket, quic; empty without a connection
	Remote     string // the other end of its connection; empty without one
	State      string
	Started    time.Time
	LastActive time.Time // when something last came from its client

	QueueFrames int // waiting to be written, or written and not acknowledged
	QueueBytes  int
	Unsent      int    // of QueueFrames those that were not written
	LastSent    uint64 // number of the last frame that was written
	LastAcked   uint64 // number of the last frame that is gone from the queue

	Node string // that it is on; empty: there is no other
}

// SessionQuery selects sessions. What is not set selects all.
type SessionQuery struct {
	User  UserID
	GID   int64
	State string
	Here  bool // on this node alone
}

// SessionIndex knows the sessions of all nodes. Other nodes are waited for some seconds at most.
type SessionIndex interface {
	// Page returns what the query selects behind after, in the order of ids, at most limit of it.
	Page(ctx context.Context, q SessionQuery, after SessionID, limit int) SessionPage
	// Count counts those of this node.
	Count() int
	// Session returns a session, or the one that goes on for it. KindNotFound: there is none on any node;
	// KindUnavailable: a node that may have it did not answer.
	Session(ctx context.Context, id SessionID) (SessionInfo, error)
	// Close tells the client of a session why it is closed, after what waits for it or a second. Unless
	// the code invites to come back the session ends. It returns which one was closed, and fails as
	// Session does.
	Close(ctx context.Context, id SessionID, code uint32, reason string) (SessionID, error)
}

const (
	defaultSessionPage = 100
	// MaxSessionPage is the most sessions in one answer.
	MaxSessionPage = 1000
	// CloseKicked is the code of a session that a service closes and gives no other.
	CloseKicked = 4001
	// MaxCloseReason bounds what a client is told, in bytes: a WebSocket has room for 123.
	MaxCloseReason = 100
)

// Sessions is what services may know of sessions and do to them. Safe for concurrent use.
type Sessions struct{ index SessionIndex }

// NewSessions returns the use cases of looking after sessions.
func NewSessions(index SessionIndex) *Sessions { return &Sessions{index: index} }

// SessionPage is a part of a list of sessions.
type SessionPage struct {
	Sessions []SessionInfo
	Next     SessionID // where the next page begins behind; empty: there is none
	Total    int       // on all pages, when this one was made
	Silent   int       // nodes that did not answer, whose sessions are missing
}

// List returns the selected sessions behind after, in the order of their ids, at most limit of them; 0
// is a hundred. A session that ends meanwhile is on no page. A page may have less than there is room for,
// and others behind it.
func (s *Sessions) List(ctx context.Context, q SessionQuery, after SessionID, limit int) (SessionPage, error) {
	switch {
	case !slices.Contains([]string{"", StateInited, StateActive, StateDetached}, q.State):
		return SessionPage{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "state %s is unknown; inited, active and detached are allowed", quote(q.State))
	case limit < 0 || limit > MaxSessionPage:
		return SessionPage{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "page_size is %d; up to %d is allowed", limit, MaxSessionPage)
	case limit == 0:
		limit = defaultSessionPage
	}
	if err := errors.Join(checkOptionalID("openid", string(q.User)), checkOptionalID("page_token", string(after))); err != nil {
		return SessionPage{}, err
	}
	return s.index.Page(ctx, q, after, limit), nil
}

// Count counts the sessions of this node.
func (s *Sessions) Count() int { return s.index.Count() }

// Session returns a session, or the one that goes on for it.
func (s *Sessions) Session(ctx context.Context, id SessionID) (SessionInfo, error) {
	if err := checkID("session_id", string(id)); err != nil {
		return SessionInfo{}, err
	}
	return s.index.Session(ctx, id)
}

// Close closes a session with a code; 0 is CloseKicked.
func (s *Sessions) Close(ctx context.Context, id SessionID, code uint32, reason string) (SessionID, error) {
	if code == 0 {
		code = CloseKicked
	}
	if code != CloseKicked && (code < 3500 || code > 3999) && (code < 4500 || code > 4999) {
		return "", Errorf(KindInvalid, "INVALID_ARGUMENT",
			"code %d is not one for services; 4001, 3500 to 3999 (come back) and 4500 to 4999 (stay away) are allowed", code)
	}
	if len(reason) > MaxCloseReason {
		return "", Errorf(KindInvalid, "INVALID_ARGUMENT", "the reason has %d bytes; at most %d are allowed", len(reason), MaxCloseReason)
	}
	if err := errors.Join(checkID("session_id", string(id)), checkText("reason", reason)); err != nil {
		return "", err
	}
	return s.index.Close(ctx, id, code, reason)
}

// ErrNoSession is what a SessionIndex answers for a session that there is not.
func ErrNoSession(id SessionID) *Error {
	return Errorf(KindNotFound, "TARGET_NOT_FOUND", "session %s does not exist", quote(string(id)))
}

// ErrSessionUnknown is what it answers when nodes that may have the session did not answer.
func ErrSessionUnknown(id SessionID, silent int) *Error {
	return Errorf(KindUnavailable, "NODES_SILENT", "session %s is on no node that has answered; %d did not", quote(string(id)), silent)
}
