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
	switch to.Kind {
	case biz.TargetSession:
		return awaited{p.node.Await(to.ID, f), biz.OutcomeNotFound}
	case biz.TargetGID:
		return awaited{p.node.AwaitGID(to.GID, f), biz.OutcomeOffline}
	}
	return awaited{p.node.AwaitUser(to.ID, f, push.StoreOffline), biz.OutcomeOffline}
}

// Broadcast implements biz.PushSessions.
func (p *Pusher) Broadcast(push *biz.Push) (sent, total int) {
	return p.node.Broadcast(prepared(push))
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
	f, ok := push.Prepared.(*frame.Frame)
	if !ok {
		f = frame.New(push)
		push.Prepared = f
	}
	return f
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
	}
	return absent
}
