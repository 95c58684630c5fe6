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

// Await offers a frame to one session, as Push does.
func (n *Node) Await(id string, f *frame.Frame) *Awaited {
	s := n.hub.Session(id)
	if s == nil {
		return &Awaited{}
	}
	return n.offerAwaited([]*session.Session{s}, f, false)
}

// AwaitUser offers a frame to every session of a user, as PushUser does or, if connected is set,
// PushConnected.
func (n *Node) AwaitUser(user string, f *frame.Frame, connected bool) *Awaited {
	return n.offerAwaited(n.hub.OfUser(user), f, connected)
}

// AwaitGID offers a frame to every session of a gid, as PushGID does.
func (n *Node) AwaitGID(gid int64, f *frame.Frame) *Awaited {
	return n.offerAwaited(n.hub.OfGID(gid), f, false)
}

func (n *Node) offerAwaited(to []*session.Session, f *frame.Frame, connected bool) *Awaited {
	return n.await(to, func(s *session.Session, settled chan<- session.Offered, fate *session.Fate) (session.Offered, bool) {
		return s.OfferAwaited(f, connected, settled, fate)
	})
}

func (n *Node) await(to []*session.Session, offer func(*session.Session, chan<- session.Offered, *session.Fate) (session.Offered, bool)) *Awaited {
	a := &Awaited{settled: make(chan session.Offered, len(to)), fate: session.NewFate(), node: n}
	for _, s := range to {
		o, wake := offer(s, a.settled, a.fate)
		if wake {
			n.core.Writer.Wake(s)
		}
		if o == session.Queued {
			a.waiting = append(a.waiting, s)
			continue
		}
		a.best = max(a.best, o)
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
