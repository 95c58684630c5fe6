package protocol

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Pusher implements biz.PushSessions on a node.
type Pusher struct{ node *node.Node }

// NewPusher returns a Pusher.
func NewPusher(n *node.Node) *Pusher { return &Pusher{node: n} }

// Push implements biz.PushSessions.
func (p *Pusher) Push(to biz.Recipient, push *biz.Push) biz.Outcome {
	f := prepared(push)
	switch {
	case push.Bound.ClientSeq != 0:
		return outcome(p.node.PushBound(p.sessions(to), f, onlyConnected(to, push), boundOf(push)), absent(to))
	case to.Kind == biz.TargetSession:
		return outcome(p.node.Push(to.ID, f), biz.OutcomeNotFound)
	case to.Kind == biz.TargetGID:
		return outcome(p.node.PushGID(to.GID, f), biz.OutcomeOffline)
	case push.StoreOffline:
		return outcome(p.node.PushConnected(to.ID, f), biz.OutcomeOffline)
	}
	return outcome(p.node.PushUser(to.ID, f), biz.OutcomeOffline)
}

// Await implements biz.PushSessions.
func (p *Pusher) Await(to biz.Recipient, push *biz.Push) biz.AwaitedPush {
	f := prepared(push)
	if push.Bound.ClientSeq != 0 {
		return awaited{p.node.AwaitBound(p.sessions(to), f, onlyConnected(to, push), boundOf(push)), absent(to)}
	}
	switch to.Kind {
	case biz.TargetSession:
		return awaited{p.node.Await(to.ID, f), biz.OutcomeNotFound}
	case biz.TargetGID:
		return awaited{p.node.AwaitGID(to.GID, f), biz.OutcomeOffline}
	}
	return awaited{p.node.AwaitUser(to.ID, f, push.StoreOffline), biz.OutcomeOffline}
}

// sessions returns those of a recipient.
func (p *Pusher) sessions(to biz.Recipient) []*session.Session {
	switch to.Kind {
	case biz.TargetSession:
		if s := p.node.Session(to.ID); s != nil {
			return []*session.Session{s}
		}
		return nil
	case biz.TargetGID:
		return p.node.OfGID(to.GID)
	}
	return p.node.OfUser(to.ID)
}

func onlyConnected(to biz.Recipient, push *biz.Push) bool {
	return push.StoreOffline && to.Kind == biz.TargetUser
}

func boundOf(push *biz.Push) session.Bound {
	return session.Bound{Request: push.Bound.ClientSeq, After: push.Bound.After}
}

// absent is the outcome for a recipient that has no session.
func absent(to biz.Recipient) biz.Outcome {
	if to.Kind == biz.TargetSession {
		return biz.OutcomeNotFound
	}
	return biz.OutcomeOffline
}

// Broadcast implements biz.PushSessions.
func (p *Pusher) Broadcast(push *biz.Push) biz.BroadcastCounts {
	return counted(p.node.Broadcast(prepared(push)))
}

// Audience implements biz.PushSessions.
func (p *Pusher) Audience(push *biz.Push) biz.Audience {
	return audience{p.node.Audience(prepared(push))}
}

// audience is a biz.Audience.
type audience struct{ *node.Audience }

// Next implements biz.Audience.
func (a audience) Next(n int) biz.BroadcastCounts {
	return counted(a.Audience.Next(n))
}

func counted(by session.Outcomes) biz.BroadcastCounts {
	c := biz.BroadcastCounts{
		Sent: by[session.Queued], Queued: by[session.Kept], Slow: by[session.Full], Skipped: by[session.Gone],
	}
	c.Total = c.Sent + c.Queued + c.Slow + c.Skipped
	return c
}

// InboxGrew implements biz.PushSessions.
func (p *Pusher) InboxGrew(user biz.UserID, seq int64) {
	p.node.Publish(&frame.Publication{Channel: InboxChannel(user), Seq: seq})
}

// awaited is a biz.AwaitedPush.
type awaited struct {
	*node.Awaited
	absent biz.Outcome
}

// Wait implements biz.AwaitedPush.
func (a awaited) Wait(ctx context.Context) biz.Outcome {
	o := a.Awaited.Wait(ctx)
	if o == session.Queued {
		return biz.OutcomeQueued // nobody has acknowledged it yet
	}
	return outcome(o, a.absent)
}

// prepared returns the frame of a push, which all of its targets share.
func prepared(push *biz.Push) *frame.Frame {
	if push.Prepared == nil { // it was not made by the rules, and nobody else has it yet
		push.Prepared = &biz.Prepared{}
	}
	return push.Prepared.Of(func() any { return frame.NewUntil(push, push.Expires) }).(*frame.Frame)
}

func outcome(o session.Offered, absent biz.Outcome) biz.Outcome {
	switch o {
	case session.Queued, session.Acked:
		return biz.OutcomeDelivered
	case session.Kept:
		return biz.OutcomeQueued
	case session.Full:
		return biz.OutcomeSlow
	case session.Unsure:
		return biz.OutcomeUnknown
	case session.Expired:
		return biz.OutcomeExpired
	}
	return absent
}
