package gateway

import (
	"sync"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/session"
)

// State is where a gateway session is in its life.
//
//	    START            hello, login, auth, signin
//	───────────▶ Inited ────────────────────────────▶ Normal
//	             │    ▲                              │    ▲
//	  connection │    │ START            connection  │    │ START
//	        lost ▼    │ resumes it             lost  ▼    │ resumes it
//	             └── Detached (queue, numbers and login are kept) ──┐
//	                                                                │ window over
//	   Inited, Normal, Detached ── STOP, replaced, kicked ──▶ Closed ◀┘
//
// What is pushed to a session that is not Normal waits, and follows the answer to its login.
type State uint8

// The states.
const (
	Inited State = iota
	Normal
	Detached
	Closed
)

func (s State) String() string { return [...]string{"inited", "normal", "detached", "closed"}[s] }

// stateOf combines what the core knows of a session with what the protocol does.
func stateOf(s *session.Session, l *life) State {
	switch s.State() {
	case session.Detached:
		return Detached
	case session.Closed:
		return Closed
	}
	if l.loggedIn() {
		return Normal
	}
	return Inited
}

// life is the protocol's part of a session. It goes on over any number of connections.
type life struct {
	class string // of its device
	place int64  // among the user's sessions on all nodes; see rival

	mu       sync.Mutex
	identity biz.Identity // its GID is the session's
	zone     string
	normal   bool
	last     uint64 // number of the last business request; 0: none yet
	entering int    // requests that have a number and are not in the lane yet
	frozen   bool   // the session is about to move to another node

	lane lane
}

// ProtocolName implements protocol.Spoken.
func (*life) ProtocolName() string { return "gateway.v1" }

// lifeOf returns the protocol's part of a session, or nil if it is none of the gateway's.
func lifeOf(s *session.Session) *life {
	l, _ := s.Protocol.(*life) // sessions of other protocols have something else, or nothing
	return l
}

func (l *life) loggedIn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.normal
}

// login notes that the session was let in.
func (l *life) login(gid int64, zone string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.identity.GID, l.zone, l.normal = gid, zone, true
}

// who returns who is behind the session, and the zone of its requests.
func (l *life) who() (id biz.Identity, zone string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.identity, l.zone
}

// prove notes a newer proof of who is behind the session; what its login has assigned stays.
func (l *life) prove(id biz.Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.normal {
		id.GID = l.identity.GID
	}
	l.identity = id
}

// inherit goes on where another session of the same client has ended, on this node or another.
func (l *life) inherit(from *life) {
	from.mu.Lock()
	gid, zone, normal, last := from.identity.GID, from.zone, from.normal, from.last
	from.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = last
	if normal {
		l.identity.GID, l.zone, l.normal = gid, zone, true
	}
}

// number takes the number of a business request: one more than that of the one before, and anything
// but 0 for the first. A wrong one changes nothing; entered follows a right one.
func (l *life) number(seq uint64) *biz.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.frozen:
		return biz.Errorf(biz.KindUnavailable, "MOVING", "the session moves to another node; resume it and send it again")
	case seq == 0:
		return biz.Errorf(biz.KindInvalid, "INVALID_SEQUENCE", "seq_id is 0; business requests are numbered from 1")
	case l.last != 0 && seq != l.last+1:
		return biz.Errorf(biz.KindInvalid, "INVALID_SEQUENCE", "seq_id is %d; %d is next", seq, l.last+1)
	}
	l.last = seq
	l.entering++
	return nil
}

// entered follows number, once the request is in the lane or refused.
func (l *life) entered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entering--
}
