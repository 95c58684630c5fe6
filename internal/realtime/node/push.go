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
	for _, s := range to {
		o, wake := s.Offer(f, connected)
		if wake {
			n.core.Writer.Wake(s)
		}
		best = max(best, o)
	}
	return best
}

// Broadcast offers a frame to every session that is let in, and returns how many connected ones took it, of how
// many there are.
func (n *Node) Broadcast(f *frame.Frame) (sent, total int) {
	all := n.hub.All()
	wake := make([]*session.Session, 0, len(all))
	for _, s := range all {
		o, w := s.OfferOpen(f)
		if w {
			wake = append(wake, s)
		}
		if o == session.Queued {
			sent++
		}
	}
	n.core.Writer.Wake(wake...)
	return sent, len(all)
}
