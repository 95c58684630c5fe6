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
	// sequelWithin is how long an offer that was answered is remembered for its sequel.
	sequelWithin = 30 * time.Second
	// maxAwaitedOffers is how many offers of other nodes wait for acknowledgements at a time.
	maxAwaitedOffers = 4096
)

// offers answers what other nodes ask about pushes. What does not wait is done at once, in the goroutine
// that brings it, so that what comes on one channel keeps its order: offering never blocks.
type offers struct {
	node  *node.Node
	works func(biz.PushKey) bool // whether this node is at a request; nil: at none

	mu   sync.Mutex
	open map[offerKey]*openOffer
	wait int // offers that wait for acknowledgements
}

// offerKey is a number of a node's.
type offerKey struct {
	node   string
	number uint64
}

// openOffer is an offer that has a sequel.
type openOffer struct {
	cancel context.CancelFunc // ends the wait; nil: there is none
	settle map[int32]func()   // counts the end of what waits, by place
}

func (o *offers) init(n *node.Node) { o.node, o.open = n, make(map[offerKey]*openOffer) }

// request is the handler.
func (o *offers) request(r broker.Request) {
	var q wire.PushRequest
	if proto.Unmarshal(r.Body, &q) != nil {
		return
	}
	switch v := q.GetKind().(type) {
	case *wire.PushRequest_Offer:
		if v.Offer.GetWait() > 0 {
			o.takeAwaited(r, v.Offer)
		} else {
			o.take(r, v.Offer)
		}
	case *wire.PushRequest_Work:
		o.answerWork(r, v.Work)
	case *wire.PushRequest_Sequel:
		o.end(offerKey{r.Node, v.Sequel.GetNumber()}, v.Sequel.GetQueued())
	}
}

// take offers a push at once.
func (o *offers) take(r broker.Request, w *wire.PushOffer) {
	push := fromWirePush(w.GetPush())
	best := make([]session.Offered, len(w.GetTargets()))
	settle := make(map[int32]func())
	for i, t := range w.GetTargets() {
		var fate *session.Fate
		best[i], fate = offer(o.node, fromWireTarget(t), push)
		if fate != nil {
			settle[int32(i)] = func() { o.node.Settle(fate) }
		}
	}
	if len(settle) > 0 {
		k := offerKey{r.Node, w.GetNumber()}
		o.remember(k, &openOffer{settle: settle})
		o.forgetLater(k)
	}
	answerOffer(r, best)
}

// takeAwaited offers a push, and answers when all targets are acknowledged, or cannot be any more, or the
// time is over.
func (o *offers) takeAwaited(r broker.Request, w *wire.PushOffer) {
	best := make([]session.Offered, len(w.GetTargets()))
	if !o.enter() {
		answerBusy(r, len(best))
		return
	}
	push := fromWirePush(w.GetPush())
	waits := make([]*node.Awaited, len(best))
	settle := make(map[int32]func())
	open := false
	for i, t := range w.GetTargets() {
		to := fromWireTarget(t)
		waits[i] = o.node.OfferAwaited(sessionsOf(o.node, to), prepared(push), offering(to, push))
		if !waits[i].Nobody() {
			settle[int32(i)] = waits[i].Leave
		}
		open = open || waits[i].Open()
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(time.Duration(w.GetWait()), biz.MaxAckWait))
	k := offerKey{r.Node, w.GetNumber()}
	if len(settle) > 0 {
		o.remember(k, &openOffer{cancel: cancel, settle: settle})
	}
	wait := func() {
		for i, a := range waits {
			best[i] = a.Wait(ctx)
		}
		cancel()
		o.leave()
		if len(settle) > 0 {
			o.forgetLater(k)
		}
		answerOffer(r, best)
	}
	if !open {
		wait()
		return
	}
	go wait()
}

func (o *offers) enter() (ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wait == maxAwaitedOffers {
		return false
	}
	o.wait++
	return true
}

func (o *offers) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wait--
}

func (o *offers) remember(k offerKey, offer *openOffer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open[k] = offer
}

func (o *offers) forgetLater(k offerKey) {
	time.AfterFunc(sequelWithin, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.open, k)
	})
}

// end takes a sequel: nobody waits any more, and what waits in the sessions of some targets is to be counted,
// each once.
func (o *offers) end(k offerKey, queued []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	offer := o.open[k]
	if offer == nil {
		return
	}
	if offer.cancel != nil {
		offer.cancel()
	}
	for _, i := range queued {
		if settle := offer.settle[i]; settle != nil {
			delete(offer.settle, i)
			settle()
		}
	}
}

func answerOffer(r broker.Request, best []session.Offered) {
	a := &wire.PushAnswer{Outcomes: make([]wire.PushOutcome, len(best))}
	for i, o := range best {
		a.Outcomes[i] = wireOutcomes[o]
	}
	r.Answer(marshal(a))
}

func answerBusy(r broker.Request, targets int) {
	a := &wire.PushAnswer{Outcomes: make([]wire.PushOutcome, targets)}
	for i := range a.Outcomes {
		a.Outcomes[i] = wire.PushOutcome_PUSH_OUTCOME_BUSY
	}
	r.Answer(marshal(a))
}
