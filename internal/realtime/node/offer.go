package node

import (
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Offering says how a frame is offered to the sessions of one target. The zero value is at once, to all.
type Offering struct {
	Connected bool // only to sessions that have a connection
	// Bound, with a Request, has the frame go with the answer to that. A number means another request in each
	// session. Where it is the number of one that waits for its answer, the frame goes with that; the other
	// sessions get it at once. If it is that in none of them but was answered in one, all get it at once. If
	// none has seen it yet, it waits in each. Sessions without numbers get it at once.
	Bound session.Bound
}

// Offer offers a frame to the sessions of one target and returns the best outcome. If that is Kept, Settle
// follows when the target is answered that the frame waits; with any other outcome there is no fate.
func (n *Node) Offer(to []*session.Session, f *frame.Frame, o Offering) (best session.Offered, fate *session.Fate) {
	if len(to) == 0 {
		return session.Gone, nil
	}
	bound, fate := o.bindings(to), session.NewFate()
	for _, s := range to {
		var (
			became session.Offered
			wake   bool
		)
		if bound(s) {
			became, wake = s.OfferBound(f, o.Connected, o.Bound, nil, fate)
		} else {
			became, wake = s.Offer(f, o.Connected, fate)
		}
		if wake {
			n.core.Writer.Wake(s)
		}
		best = max(best, became)
	}
	if best != session.Kept {
		return best, nil
	}
	return best, fate
}

// Settle says that a target was answered that its frame waits in its sessions: its end is counted.
func (n *Node) Settle(fate *session.Fate) { fate.Decide(n.core.Metrics.Settled) }

// bindings tells which sessions bind the frame.
func (o Offering) bindings(to []*session.Session) func(*session.Session) bool {
	if o.Bound.Request == 0 {
		return unbound
	}
	best := session.Unseen
	for _, s := range to {
		if !s.Numbered {
			continue
		}
		switch s.Request(o.Bound.Request) {
		case session.Open:
			return func(s *session.Session) bool { return s.Request(o.Bound.Request) == session.Open }
		case session.Answered:
			best = session.Answered
		}
	}
	return func(*session.Session) bool { return best == session.Unseen }
}

func unbound(*session.Session) bool { return false }
