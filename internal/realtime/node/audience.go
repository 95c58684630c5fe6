package node

import (
	"slices"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Audience is the sessions that were on a node at a moment, for a frame that is offered to some of them at
// a time. It belongs to one goroutine. Broadcast is for all of them at once.
type Audience struct {
	node  *Node
	visit visit
	left  []*session.Session
}

// Audience returns the sessions that there are now.
func (n *Node) Audience(f *frame.Frame) *Audience {
	a := &Audience{node: n, left: slices.Clone(n.hub.All())}
	a.visit.add(f)
	return a
}

// Len is how many of them were not offered the frame.
func (a *Audience) Len() int { return len(a.left) }

// Next offers the frame to the next k of them and counts the outcomes.
func (a *Audience) Next(k int) session.Outcomes {
	next := a.left[:min(k, len(a.left))]
	a.visit.counts[0] = session.Outcomes{}
	a.node.visit(next, &a.visit)
	clear(next) // who has ended meanwhile need not be kept
	a.left = a.left[len(next):]
	return a.visit.counts[0]
}
