package protocol

import (
	"context"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
)

// audience is a biz.Audience: the sessions of this node and then those of one node after another, which
// have remembered theirs.
type audience struct {
	*node.Audience // of this node
	pusher         *Pusher
	number         uint64
	others         []part
	silent         int
	told           time.Time // when the others were told that this goes on
}

// part is what is left of it on another node.
type part struct {
	node string
	left int
}

// Audience implements biz.PushAudiences.
func (p *Pusher) Audience(ctx context.Context, push *biz.Push) biz.Audience {
	a := &audience{Audience: p.node.Audience(prepared(push)), pusher: p, told: time.Now()}
	if p.node.ID() == "" {
		return a
	}
	a.number = p.numbers.Add(1)
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	body := marshal(&wire.BroadcastRequest{Kind: &wire.BroadcastRequest_Gather{
		Gather: &wire.BroadcastGather{Number: a.number, Push: toWirePush(push)},
	}})
	a.silent = askEverybody(ctx, p.node, node.KindBroadcast, body, func(answer broker.Answer) (ok, more bool) {
		c, ok := readCounts(answer.Body)
		if ok && c.Total > 0 {
			a.others = append(a.others, part{answer.Node, c.Total})
		}
		return ok, true
	})
	return a
}

// Silent implements biz.Audience.
func (a *audience) Silent() int { return a.silent }

// Len implements biz.Audience.
func (a *audience) Len() int {
	n := a.Audience.Len()
	for _, o := range a.others {
		n += o.left
	}
	return n
}

// Next implements biz.Audience.
func (a *audience) Next(ctx context.Context, n int) (c biz.BroadcastCounts) {
	if here := min(n, a.Audience.Len()); here > 0 {
		c = counted(a.Audience.Next(here))
		n -= here
	}
	a.goOn()
	for n > 0 && len(a.others) > 0 {
		o := &a.others[0]
		next := min(n, o.left)
		got, ok := a.nextAt(ctx, o.node, next)
		if !ok { // what it has done is not known, nor what it will be told again
			got, next = biz.BroadcastCounts{Unknown: o.left, Total: o.left}, o.left
		}
		total := c.Total + next
		c = c.Plus(got)
		c.Total = total
		n -= next
		if o.left -= next; o.left == 0 {
			a.others = a.others[1:]
		}
	}
	return c
}

// nextAt has another node push to its next n.
func (a *audience) nextAt(ctx context.Context, id string, n int) (c biz.BroadcastCounts, ok bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWithin) // what was begun is counted
	defer cancel()
	body := marshal(&wire.BroadcastRequest{Kind: &wire.BroadcastRequest_Next{
		Next: &wire.BroadcastNext{Number: a.number, Sessions: int32(n)},
	}})
	b, ok := askNode(ctx, a.pusher.node, id, node.KindBroadcast, body)
	if !ok {
		return c, false
	}
	c, ok = readCounts(b)
	return c, ok && c.Total == n
}

// goOn keeps the others from forgetting their sessions.
func (a *audience) goOn() {
	if len(a.others) == 0 || time.Since(a.told) < aliveEvery {
		return
	}
	a.told = time.Now()
	_ = a.pusher.node.Tell(broker.EveryNode, node.KindBroadcast, marshal(&wire.BroadcastRequest{
		Kind: &wire.BroadcastRequest_Alive{Alive: &wire.BroadcastAlive{Numbers: []uint64{a.number}}},
	})) // five others may be lost besides
}
