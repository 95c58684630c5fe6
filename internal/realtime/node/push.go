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
	fate := session.NewFate()
	for _, s := range to {
		o, wake := offer(s, fate)
		if wake {
			n.core.Writer.Wake(s)
		}
		best = max(best, o)
	}
	if best == session.Kept {
		fate.Decide(n.core.Metrics.Settled)
	}
	return best
}

// Audience is the sessions that were on a node at a moment, for a frame that is offered to all of them.
// It belongs to one goroutine.
type Audience struct {
	node  *Node
	frame *frame.Frame
	left  []*session.Session
}

// Audience returns the sessions that there are now.
func (n *Node) Audience(f *frame.Frame) *Audience {
	return &Audience{node: n, frame: f, left: n.hub.All()}
}

// Len is how many of them were not offered the frame.
func (a *Audience) Len() int { return len(a.left) }

// Next offers the frame to the next k of them and counts the outcomes. A session that has ended
// meanwhile has its successor in its place; one that is not let in yet is offered nothing, which is Gone.
func (a *Audience) Next(k int) (counts map[session.Offered]int) {
	counts = make(map[session.Offered]int)
	k = min(k, len(a.left))
	wake := make([]*session.Session, 0, k)
	for i, s := range a.left[:k] {
		o, w := s.OfferOpen(a.frame)
		if o == session.Gone && s.State() == session.Closed {
			if heir := a.node.hub.Session(s.ID); heir != nil {
				s = heir
				o, w = s.OfferOpen(a.frame)
			}
		}
		if w {
			wake = append(wake, s)
		}
		counts[o]++
		a.left[i] = nil
	}
	a.left = a.left[k:]
	a.node.core.Writer.Wake(wake...)
	return counts
}
