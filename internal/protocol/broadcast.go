package protocol

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

const (
	// maxBroadcasts is how many broadcasts of other nodes, or parts of such, are at work at a time.
	maxBroadcasts = 64
	// broadcastWithin bounds how long other nodes are waited for with one: a visit to all sessions takes a
	// fraction of a microsecond for each.
	broadcastWithin = 5 * time.Second
)

// Broadcast implements biz.PushAudiences.
func (p *Pusher) Broadcast(ctx context.Context, push *biz.Push) biz.BroadcastCounts {
	if p.node.ID() == "" {
		return counted(p.node.Broadcast(prepared(push)))
	}
	here := make(chan biz.BroadcastCounts, 1)
	go func() { here <- counted(p.node.Broadcast(prepared(push))) }()
	ctx, cancel := context.WithTimeout(ctx, broadcastWithin)
	defer cancel()
	var others biz.BroadcastCounts
	body := marshal(&wire.BroadcastRequest{Kind: &wire.BroadcastRequest_All{All: toWirePush(push)}})
	silent := askEverybody(ctx, p.node, node.KindBroadcast, body, func(a broker.Answer) (ok, more bool) {
		c, ok := readCounts(a.Body)
		others = others.Plus(c)
		others.Total += c.Total
		return ok, true
	})
	all := <-here
	total := all.Total + others.Total
	all = all.Plus(others)
	all.Total, all.Silent = total, silent
	return all
}

func counted(by session.Outcomes) biz.BroadcastCounts {
	c := biz.BroadcastCounts{
		Sent: by[session.Queued], Queued: by[session.Kept], Slow: by[session.Full], Skipped: by[session.Gone],
	}
	c.Total = c.Sent + c.Queued + c.Slow + c.Skipped
	return c
}

func answerCounts(r broker.Request, c biz.BroadcastCounts) {
	r.Answer(marshal(&wire.BroadcastAnswer{
		Sent: int64(c.Sent), Queued: int64(c.Queued), Slow: int64(c.Slow), Skipped: int64(c.Skipped), Total: int64(c.Total),
	}))
}

func readCounts(b []byte) (c biz.BroadcastCounts, ok bool) {
	var a wire.BroadcastAnswer
	if proto.Unmarshal(b, &a) != nil || a.GetUnknown() {
		return c, false
	}
	return biz.BroadcastCounts{
		Sent: int(a.GetSent()), Queued: int(a.GetQueued()), Slow: int(a.GetSlow()), Skipped: int(a.GetSkipped()), Total: int(a.GetTotal()),
	}, true
}

// answerBroadcast is the handler.
func (p *Pusher) answerBroadcast(r broker.Request) {
	var q wire.BroadcastRequest
	if proto.Unmarshal(r.Body, &q) != nil {
		return
	}
	switch v := q.GetKind().(type) {
	case *wire.BroadcastRequest_All:
		answerCounts(r, counted(p.node.Broadcast(prepared(fromWirePush(v.All)))))
	case *wire.BroadcastRequest_Gather:
		push := fromWirePush(v.Gather.GetPush())
		g := &gatheredAudience{Audience: p.node.Audience(prepared(push))}
		total := g.Len()
		if p.gather.add(offerKey{r.Node, v.Gather.GetNumber()}, g) {
			answerCounts(r, biz.BroadcastCounts{Total: total})
		}
	case *wire.BroadcastRequest_Next:
		g := p.gather.at(offerKey{r.Node, v.Next.GetNumber()})
		if g == nil {
			r.Answer(marshal(&wire.BroadcastAnswer{Unknown: true}))
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		answerCounts(r, counted(g.Next(max(0, int(v.Next.GetSessions())))))
	case *wire.BroadcastRequest_Alive:
		for _, number := range v.Alive.GetNumbers() {
			p.gather.at(offerKey{r.Node, number})
		}
	}
}

const (
	// gatheredFor is how long the sessions of somebody else's broadcast are remembered without a word of
	// him, and aliveEvery how often he says one.
	gatheredFor = time.Minute
	aliveEvery  = 10 * time.Second
	// maxGathered bounds how many such broadcasts there are at a time.
	maxGathered = 256
)

// gathered is the audiences that other nodes push to at their pace.
type gathered struct {
	mu  sync.Mutex
	all map[offerKey]*gatheredAudience
}

type gatheredAudience struct {
	mu sync.Mutex
	*node.Audience
	forget *time.Timer
}

func (g *gathered) init() { g.all = make(map[offerKey]*gatheredAudience) }

func (g *gathered) add(k offerKey, a *gatheredAudience) (ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.all) == maxGathered {
		return false
	}
	a.forget = time.AfterFunc(gatheredFor, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.all, k)
	})
	g.all[k] = a
	return true
}

// at returns an audience, nil when there is none, and remembers it for longer.
func (g *gathered) at(k offerKey) *gatheredAudience {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.all[k]
	if a != nil {
		a.forget.Reset(gatheredFor)
	}
	return a
}
