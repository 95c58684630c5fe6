package node

import (
	"context"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Awaited is a frame that was offered to sessions and that somebody waits for. It belongs to one
// goroutine and owns none.
type Awaited struct {
	waiting []*session.Session // those that took it and have not settled
	settled chan session.Offered
	best    session.Offered
	open    int
	fate    *session.Fate // nil: nobody was offered it
	node    *Node
}

// OfferAwaited does what Offer does for somebody who waits.
func (n *Node) OfferAwaited(to []*session.Session, f *frame.Frame, o Offering) *Awaited {
	if len(to) == 0 {
		return &Awaited{}
	}
	a := &Awaited{settled: make(chan session.Offered, len(to)), fate: session.NewFate(), node: n}
	bound := o.bindings(to)
	for _, s := range to {
		var (
			became session.Offered
			wake   bool
		)
		if bound(s) {
			became, wake = s.OfferBound(f, o.Connected, o.Bound, a.settled, a.fate)
		} else {
			became, wake = s.OfferAwaited(f, o.Connected, a.settled, a.fate)
		}
		if wake {
			n.core.Writer.Wake(s)
		}
		if became == session.Queued {
			a.waiting = append(a.waiting, s)
			continue
		}
		a.best = max(a.best, became)
	}
	a.open = len(a.waiting)
	return a
}

// Nobody tells that the target has no session here.
func (a *Awaited) Nobody() bool { return a.fate == nil }

// Open tells whether there is anything to wait for. It is asked before Wait.
func (a *Awaited) Open() bool { return a.open > 0 }

// Wait waits until a client has acknowledged the frame, until none can any more, or until ctx ends,
// and returns the best outcome: Queued means that ctx ended while a connected client had not
// acknowledged it. The frame stays in the sessions that took it. Wait is to be called once, always,
// or the sessions remember the caller.
func (a *Awaited) Wait(ctx context.Context) session.Offered {
	for a.open > 0 && a.best < session.Acked && ctx.Err() == nil {
		select {
		case o := <-a.settled:
			a.note(o)
		case <-ctx.Done():
		}
	}
	if a.open == 0 {
		return a.best
	}
	for _, s := range a.waiting {
		s.Forget(a.settled)
	}
	for len(a.settled) > 0 { // what came in the last moment counts
		a.note(<-a.settled)
	}
	if a.open > 0 {
		a.best = max(a.best, session.Queued)
	}
	return a.best
}

// Leave says, after Wait, that the target was answered that the frame waits in its sessions: its end is
// counted.
func (a *Awaited) Leave() {
	if a.fate != nil {
		a.fate.Decide(a.node.core.Metrics.Settled)
	}
}

func (a *Awaited) note(o session.Offered) {
	a.best = max(a.best, o)
	a.open--
}
