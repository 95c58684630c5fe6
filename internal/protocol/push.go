package protocol

import (
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Pusher implements biz.PushSessions on a node.
type Pusher struct{ node *node.Node }

// NewPusher returns a Pusher.
func NewPusher(n *node.Node) *Pusher { return &Pusher{node: n} }

// PushSession implements biz.PushSessions.
func (p *Pusher) PushSession(id biz.SessionID, push *biz.Push) biz.Outcome {
	return outcome(p.node.Push(string(id), prepared(push)), biz.OutcomeNotFound)
}

// PushUser implements biz.PushSessions.
func (p *Pusher) PushUser(id biz.UserID, push *biz.Push) biz.Outcome {
	offer := p.node.PushUser
	if push.StoreOffline {
		offer = p.node.PushConnected
	}
	return outcome(offer(string(id), prepared(push)), biz.OutcomeOffline)
}

// PushGID implements biz.PushSessions.
func (p *Pusher) PushGID(gid int64, push *biz.Push) biz.Outcome {
	return outcome(p.node.PushGID(gid, prepared(push)), biz.OutcomeOffline)
}

// Broadcast implements biz.PushSessions.
func (p *Pusher) Broadcast(push *biz.Push) (sent, total int) {
	return p.node.Broadcast(prepared(push))
}

// InboxGrew implements biz.PushSessions.
func (p *Pusher) InboxGrew(user biz.UserID, seq int64) {
	p.node.Publish(&frame.Publication{Channel: InboxChannel(user), Seq: seq})
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
	case session.Queued:
		return biz.OutcomeDelivered
	case session.Kept:
		return biz.OutcomeQueued
	case session.Full:
		return biz.OutcomeSlow
	}
	return absent
}
