package protocol

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Pusher implements biz.PushSessions on a node and those that it knows. Sessions here come first; what may
// be elsewhere is asked for as inquiry says.
type Pusher struct {
	node    *node.Node
	numbers atomic.Uint64 // of inquiries and audiences
	offers  offers        // what others have asked for
	gather  gathered
}

// NewPusher returns a Pusher, which also answers other nodes. It is called before the node runs.
func NewPusher(n *node.Node) *Pusher {
	p := &Pusher{node: n}
	p.offers.init(n)
	p.gather.init()
	n.Handle(node.KindPush, p.offers.request)
	n.HandleApart(node.KindBroadcast, maxBroadcasts, p.answerBroadcast)
	return p
}

// Push implements biz.PushSessions.
func (p *Pusher) Push(ctx context.Context, to biz.Recipient, push *biz.Push) biz.Offered {
	best, fate := offer(p.node, to, push)
	if p.node.ID() != "" {
		s := standing{best: best, fate: fate}
		p.pushElsewhere(ctx, to, push, &s)
		p.settle([]standing{s})
		return s.offered(to)
	}
	if best == session.Kept {
		p.node.Settle(fate)
	}
	return biz.Offered{Outcome: outcome(best, absent(to))}
}

// Batch implements biz.PushSessions.
func (p *Pusher) Batch(ctx context.Context, to []biz.Recipient, push *biz.Push) []biz.Offered {
	out := make([]biz.Offered, len(to))
	if len(to) == 1 {
		out[0] = p.Push(ctx, to[0], push)
		return out
	}
	all := make([]standing, len(to))
	biz.InParallel(len(to), runtime.GOMAXPROCS(0), offersAtOnce, func(i int) {
		all[i].best, all[i].fate = offer(p.node, to[i], push)
	})
	if p.node.ID() != "" {
		p.batchElsewhere(ctx, to, push, all)
	}
	p.settle(all)
	for i := range all {
		out[i] = all[i].offered(to[i])
	}
	return out
}

// offersAtOnce is how many targets of a batch one goroutine takes at a time: what a push to a connected
// session costs is about a microsecond.
const offersAtOnce = 128

// offer offers a push to a recipient's sessions on a node.
func offer(n *node.Node, to biz.Recipient, push *biz.Push) (best session.Offered, fate *session.Fate) {
	return n.Offer(sessionsOf(n, to), prepared(push), offering(to, push))
}

// sessionsOf returns a recipient's sessions on a node.
func sessionsOf(n *node.Node, to biz.Recipient) []*session.Session {
	switch to.Kind {
	case biz.TargetSession:
		if s := n.Session(to.ID); s != nil {
			return []*session.Session{s}
		}
		return nil
	case biz.TargetGID:
		return n.OfGID(to.GID)
	}
	return n.OfUser(to.ID)
}

func offering(to biz.Recipient, push *biz.Push) node.Offering {
	return node.Offering{
		Connected: push.StoreOffline && to.Kind == biz.TargetUser,
		Bound:     session.Bound{Request: push.Bound.ClientSeq, After: push.Bound.After},
	}
}

// absent is the outcome for a recipient that has no session.
func absent(to biz.Recipient) biz.Outcome {
	if to.Kind == biz.TargetSession {
		return biz.OutcomeNotFound
	}
	return biz.OutcomeOffline
}

// InboxGrew implements biz.PushSessions.
func (p *Pusher) InboxGrew(user biz.UserID, seq int64) {
	p.node.Publish(&frame.Publication{Channel: InboxChannel(user), Seq: seq})
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
