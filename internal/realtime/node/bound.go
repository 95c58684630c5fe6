package node

import (
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// PushBound offers a frame that goes with the answer to a request to sessions of one target; the best
// outcome counts. If connected is set, sessions without a connection do not get it.
//
// A number means another request in each session. Where it is the number of one that waits for its
// answer, the frame goes with that; the other sessions get it at once. If it is that in none of them
// but was answered in one, all get it at once. If none has seen it yet, it waits in each. Sessions
// without numbers get it at once.
func (n *Node) PushBound(to []*session.Session, f *frame.Frame, connected bool, b session.Bound) (best session.Offered) {
	bound := bindings(to, b)
	return n.each(to, func(s *session.Session, fate *session.Fate) (session.Offered, bool) {
		if bound(s) {
			return s.OfferBound(f, connected, b, nil, fate)
		}
		return s.Offer(f, connected, fate)
	})
}

// AwaitBound does the same for a caller who waits.
func (n *Node) AwaitBound(to []*session.Session, f *frame.Frame, connected bool, b session.Bound) *Awaited {
	bound := bindings(to, b)
	return n.await(to, func(s *session.Session, settled chan<- session.Offered, fate *session.Fate) (session.Offered, bool) {
		if bound(s) {
			return s.OfferBound(f, connected, b, settled, fate)
		}
		return s.OfferAwaited(f, connected, settled, fate)
	})
}

// bindings tells which sessions bind the frame.
func bindings(to []*session.Session, b session.Bound) func(*session.Session) bool {
	best := session.Unseen
	for _, s := range to {
		if !s.Numbered {
			continue
		}
		switch s.Request(b.Request) {
		case session.Open:
			return func(s *session.Session) bool { return s.Request(b.Request) == session.Open }
		case session.Answered:
			best = session.Answered
		}
	}
	return func(*session.Session) bool { return best == session.Unseen }
}
