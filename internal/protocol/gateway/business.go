package gateway

import (
	"context"
	"runtime/debug"
	"strconv"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// business is a client's request on its way to the services. It outlives the connection that it came
// on: the answer waits for the client.
type business struct {
	h       *Handler
	session *session.Session
	life    *life
	req     *gatewayv1.ClientRequest
	ask     *gatewayv1.BusinessRequest
	codec   codec // of the connection that it came on
	asked   biz.Asked
}

// run answers the request.
func (b *business) run(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			b.h.log.Error("a request panicked", "action", b.ask.GetAction(), "panic", p, "stack", string(debug.Stack()))
			b.refuse(biz.Errorf(biz.KindInternal, "PANIC", "internal error"))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, b.h.cfg.Load().RequestTimeout)
	defer cancel()
	login := biz.IsLogin(b.ask.GetAction())
	switch normal := b.life.loggedIn(); {
	case login && normal:
		id, zone := b.life.who()
		b.answer(&biz.UpstreamResponse{Code: biz.UpstreamOK, Message: "already logged in", Headers: loginHeaders(id.GID, zone)})
		return
	case !login && !normal:
		b.refuse(biz.Errorf(biz.KindUnauthenticated, "NOT_LOGGED_IN", "the session is not logged in; begin with hello, login, auth or signin"))
		return
	}
	started := time.Now()
	if b.h.own(b.ask.GetAction()) {
		b.perform(ctx)
		b.h.metrics.seconds.Observe(time.Since(started).Seconds())
		return
	}
	resp, err := b.process(ctx)
	b.h.metrics.seconds.Observe(time.Since(started).Seconds())
	switch {
	case err != nil:
		b.refuse(biz.AsError(err))
	case login:
		b.login(resp)
	default:
		b.answer(resp)
	}
}

func (b *business) process(ctx context.Context) (*biz.UpstreamResponse, error) {
	id, zone := b.life.who()
	return b.h.upstream.Process(ctx, &biz.UpstreamRequest{
		Session: biz.SessionID(b.session.ID), Identity: id, Zone: zone,
		Action: b.ask.GetAction(), Params: b.ask.GetParams(), Data: b.ask.GetData(),
		Headers: b.req.GetHeaders(), ClientSeq: b.req.GetSeqId(),
	})
}

// login lets the session in if the service does.
func (b *business) login(resp *biz.UpstreamResponse) {
	if resp.Code != biz.UpstreamOK {
		b.refuse(biz.Errorf(biz.KindInternal, "LOGIN_FAILED", "the login was refused with code %d: %s", resp.Code, resp.Message))
		return
	}
	id, _ := b.life.who()
	gid := id.GID
	if text := resp.Headers[biz.HeaderGID]; text != "" {
		var err error
		if gid, err = strconv.ParseInt(text, 10, 64); err != nil {
			b.refuse(biz.Errorf(biz.KindInternal, "BIND_FAILED", "the service answered the login with a gid that is no decimal number"))
			return
		}
	}
	b.h.node.Assign(b.session, gid)
	b.life.login(gid, resp.Headers[biz.HeaderZone])
	// What is kept for the user has its place behind the answer and before what was pushed meanwhile.
	replay := protocol.AttachInbox(b.h.node, b.session, b.h.pushes)
	b.session.Release(b.req.GetSeqId(), b.response(resp))
	replay()
}

func (b *business) answer(resp *biz.UpstreamResponse) {
	b.session.Answer(b.req.GetSeqId(), b.response(resp))
}

func (b *business) response(resp *biz.UpstreamResponse) *frame.Frame {
	return frame.New(&outgoing{
		msgID:   b.req.GetMsgId(),
		body:    &gatewayv1.BusinessResponse{Code: resp.Code, Message: resp.Message, Data: resp.Data},
		headers: resp.Headers,
	})
}

func (b *business) refuse(err *biz.Error) {
	if b.asked.Answer() {
		b.h.refuseRequest(b.session, b.req, err)
	}
}
