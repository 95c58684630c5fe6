package node

import (
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Offering says how a frame is offered to the sessions of one target. The zero value is at once, to all.
type Offering struct {
	Connected bool          // only to sessions that have a connection
	Bound     session.Bound // see PushBound; a Request of 0: it is not bound
}

// Offer offers a frame to the sessions of one target and returns the best outcome. If that is Kept, Settle
// follows when the target is answered that the frame waits; with any other outcome there is no fate.
func (n *Node) Offer(to []*session.Session, f *frame.Frame, o Offering) (best session.Offered, fate *session.Fate) {
	if len(to) == 0 {
		return session.Gone, nil
	}
	offer := func(s *session.Session, fate *session.Fate) (session.Offered, bool) {
		return s.Offer(f, o.Connected, fate)
	}
	if o.Bound.Request != 0 {
		bound := bindings(to, o.Bound)
		offer = func(s *session.Session, fate *session.Fate) (session.Offered, bool) {
			if bound(s) {
				return s.OfferBound(f, o.Connected, o.Bound, nil, fate)
			}
			return s.Offer(f, o.Connected, fate)
		}
	}
	if best, fate = n.offerEach(to, offer); best != session.Kept {
		return best, nil
	}
	return best, fate
}

// Settle says that a target was answered that its frame waits in its sessions: its end is counted.
func (n *Node) Settle(fate *session.Fate) { fate.Decide(n.core.Metrics.Settled) }

// OfferAwaited does what Offer does for somebody who waits.
func (n *Node) OfferAwaited(to []*session.Session, f *frame.Frame, o Offering) *Awaited {
	switch {
	case len(to) == 0:
		return &Awaited{}
	case o.Bound.Request != 0:
		return n.AwaitBound(to, f, o.Connected, o.Bound)
	}
	return n.offerAwaited(to, f, o.Connected)
}
