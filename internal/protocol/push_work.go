package protocol

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
)

// AtWork implements biz.PushSignals.
func (p *Pusher) AtWork(ctx context.Context, k biz.PushKey) (is bool) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	body := marshal(&wire.PushRequest{Kind: &wire.PushRequest_Work{Work: &wire.PushWork{Caller: k.Caller, Key: k.Key}}})
	_ = askEverybody(ctx, p.node, node.KindPush, body, func(a broker.Answer) (ok, more bool) {
		var answer wire.PushWorkAnswer
		ok = proto.Unmarshal(a.Body, &answer) == nil
		is = is || answer.GetAtWork()
		return ok, !is
	})
	return is
}

// Works implements biz.PushSignals.
func (p *Pusher) Works(is func(biz.PushKey) bool) { p.offers.works = is }

func (o *offers) answerWork(r broker.Request, w *wire.PushWork) {
	k := biz.PushKey{Caller: w.GetCaller(), Key: w.GetKey()}
	r.Answer(marshal(&wire.PushWorkAnswer{AtWork: o.works != nil && o.works(k)}))
}
