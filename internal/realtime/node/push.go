package node

import (
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Push offers a frame to one session.
func (n *Node) Push(id string, f *frame.Frame) session.Offered {
	s := n.hub.Session(id)
	if s == nil {
		return session.Gone
	}
	return n.offer([]*session.Session{s}, f, false)
}

// PushUser offers a frame to every session of a user; the best outcome counts.
func (n *Node) PushUser(user string, f *frame.Frame) session.Offered {
	return n.offer(n.hub.OfUser(user), f, false)
}

// PushConnected offers a frame to those sessions of a user that have a connection. Gone means that
// there is none.
func (n *Node) PushConnected(user string, f *frame.Frame) session.Offered {
	return n.offer(n.hub.OfUser(user), f, true)
}

// PushGID offers a frame to every session of a gid; the best outcome counts.
func (n *Node) PushGID(gid int64, f *frame.Frame) session.Offered {
	return n.offer(n.hub.OfGID(gid), f, false)
}

func (n *Node) offer(to []*session.Session, f *frame.Frame, connected bool) (best session.Offered) {
	return n.each(to, func(s *session.Session, fate *session.Fate) (session.Offered, bool) {
		return s.Offer(f, connected, fate)
	})
}

// each offers something to the sessions of one target. If the best that becomes of it is to wait, its end
// is counted later.
func (n *Node) each(to []*session.Session, offer func(*session.Session, *session.Fate) (session.Offered, bool)) (best session.Offered) {
	if len(to) == 0 {
		return session.Gone
	}
	best, fate := n.offerEach(to, offer)
	if best == session.Kept {
		n.Settle(fate)
	}
	return best
}

// offerEach does the same and leaves the end to the caller.
func (n *Node) offerEach(to []*session.Session, offer func(*session.Session, *session.Fate) (session.Offered, bool)) (best session.Offered, fate *session.Fate) {
	fate = session.NewFate()
	for _, s := range to {
		o, wake := offer(s, fate)
		if wake {
			n.core.Writer.Wake(s)
		}
		best = max(best, o)
	}
	return best, fate
}
