package node_test

import (
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

// offer offers a frame, and answers at once that it waits where it does.
func (b *bench) offer(to []*session.Session, f *frame.Frame, o node.Offering) session.Offered {
	best, fate := b.Offer(to, f, o)
	if best == session.Kept {
		b.Settle(fate)
	}
	return best
}

func (b *bench) named(id string) []*session.Session {
	if s := b.Session(id); s != nil {
		return []*session.Session{s}
	}
	return nil
}

func (b *bench) Push(id string, f *frame.Frame) session.Offered {
	return b.offer(b.named(id), f, node.Offering{})
}

func (b *bench) PushUser(user string, f *frame.Frame) session.Offered {
	return b.offer(b.OfUser(user), f, node.Offering{})
}

func (b *bench) PushConnected(user string, f *frame.Frame) session.Offered {
	return b.offer(b.OfUser(user), f, node.Offering{Connected: true})
}

func (b *bench) PushGID(gid int64, f *frame.Frame) session.Offered {
	return b.offer(b.OfGID(gid), f, node.Offering{})
}

func (b *bench) PushBound(to []*session.Session, f *frame.Frame, connected bool, bound session.Bound) session.Offered {
	return b.offer(to, f, node.Offering{Connected: connected, Bound: bound})
}

func (b *bench) Await(id string, f *frame.Frame) *node.Awaited {
	return b.OfferAwaited(b.named(id), f, node.Offering{})
}

func (b *bench) AwaitUser(user string, f *frame.Frame, connected bool) *node.Awaited {
	return b.OfferAwaited(b.OfUser(user), f, node.Offering{Connected: connected})
}

func (b *bench) AwaitGID(gid int64, f *frame.Frame) *node.Awaited {
	return b.OfferAwaited(b.OfGID(gid), f, node.Offering{})
}

func (b *bench) AwaitBound(to []*session.Session, f *frame.Frame, connected bool, bound session.Bound) *node.Awaited {
	return b.OfferAwaited(to, f, node.Offering{Connected: connected, Bound: bound})
}
