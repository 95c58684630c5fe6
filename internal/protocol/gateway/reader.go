package gateway

import (
	"context"
	"strings"
	"time"

	"golang.org/x/time/rate"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// reader handles what comes over one connection of a session. It belongs to one goroutine.
type reader struct {
	h         *Handler
	session   *session.Session
	life      *life
	codec     codec
	transport string
	limiter   *rate.Limiter
	limited   *Config // what limiter was made from
}

func (r *reader) take(ctx context.Context, data []byte) (stopped bool) {
	req, wrong := r.codec.request(data)
	if wrong != nil {
		r.count("other")
		r.h.refuse(r.session, 0, wrong)
		return false
	}
	return r.handle(ctx, req)
}

// handle tells whether the client has ended its session.
func (r *reader) handle(ctx context.Context, req *gatewayv1.ClientRequest) (stopped bool) {
	r.session.Heard()
	var wrong *biz.Error
	switch req.GetType() {
	case gatewayv1.RequestType_REQUEST_ACK:
		r.count("ack")
		wrong = r.ack(req)
	case gatewayv1.RequestType_REQUEST_HEARTBEAT:
		r.count("heartbeat")
		wrong = r.heartbeat(ctx, req)
	case gatewayv1.RequestType_REQUEST_BUSINESS:
		r.count("business")
		wrong = r.business(ctx, req)
	case gatewayv1.RequestType_REQUEST_STOP:
		r.count("stop")
		return true
	case gatewayv1.RequestType_REQUEST_START:
		r.count("other")
		wrong = biz.Errorf(biz.KindPermissionDenied, "ALREADY_STARTED", "the session is %s already; START comes once on a connection", stateOf(r.session, r.life))
	default:
		r.count("other")
		wrong = biz.Errorf(biz.KindInvalid, "UNKNOWN_TYPE", "a request of type %d is not known", req.GetType())
	}
	if wrong != nil {
		r.h.refuse(r.session, req.GetMsgId(), wrong)
	}
	return false
}

func (r *reader) count(kind string) { r.h.metrics.received.WithLabelValues(r.transport, kind).Inc() }

func (r *reader) ack(req *gatewayv1.ClientRequest) *biz.Error {
	ack := &gatewayv1.ClientAck{}
	if err := r.codec.payload(req, ack); err != nil {
		return err
	}
	r.session.AckLink(ack.GetAckedSeqId())
	return nil
}

func (r *reader) heartbeat(ctx context.Context, req *gatewayv1.ClientRequest) *biz.Error {
	if req.GetSeqId() != 0 {
		return biz.Errorf(biz.KindInvalid, "INVALID_SEQUENCE", "seq_id of a heartbeat is %d; it must be 0", req.GetSeqId())
	}
	beat := &gatewayv1.HeartbeatRequest{}
	if err := r.codec.payload(req, beat); err != nil {
		return err
	}
	if token := req.GetHeaders()["authorization"]; token != "" {
		id, err := r.refresh(ctx, strings.TrimPrefix(token, "Bearer "))
		if err != nil {
			return biz.AsError(err)
		}
		r.life.prove(id)
		r.session.SetExpiry(id.Expiry)
	}
	if presence := req.GetHeaders()["presence"]; presence != "" {
		away, err := protocol.LooksAway(presence)
		if err != nil {
			return err
		}
		r.h.node.SetAway(r.session, away)
	}
	r.session.Reply(frame.New(&outgoing{
		msgID: req.GetMsgId(),
		body: &gatewayv1.HeartbeatResponse{
			ClientTimestamp: beat.GetClientTimestamp(), ServerTimestamp: time.Now().UnixMilli(),
		},
	}))
	return nil
}

// refresh returns the identity that a new token proves. The gid of a session that is logged in is the word of the
// service that let it in, and no token is held to it.
func (r *reader) refresh(ctx context.Context, token string) (biz.Identity, error) {
	held, _ := r.life.who() // first: a login may come between
	if !r.life.loggedIn() {
		return r.h.auth.Refresh(ctx, held, token)
	}
	id, err := r.h.auth.Prove(ctx, token, held.User, held.Device)
	if err != nil {
		return biz.Identity{}, err
	}
	if id.User != held.User {
		return biz.Identity{}, biz.Errorf(biz.KindPermissionDenied, "IDENTITY_CHANGED", "the token is of another user than the session; open a new session for it")
	}
	id.Device = held.Device
	return id, nil
}

// business hands a request on, in its turn. Once its number is right the number is used up, whatever
// becomes of the request: what is bound to it comes with the answer, or with its refusal.
func (r *reader) business(ctx context.Context, req *gatewayv1.ClientRequest) *biz.Error {
	if err := r.life.number(req.GetSeqId()); err != nil {
		return err
	}
	defer r.life.entered()
	r.session.Asked(req.GetSeqId())
	if err := r.enqueue(ctx, req); err != nil {
		r.h.refuseRequest(r.session, req, err)
	}
	return nil
}

func (r *reader) enqueue(ctx context.Context, req *gatewayv1.ClientRequest) *biz.Error {
	if openid := req.GetOpenid(); openid != "" && openid != r.session.User {
		return biz.Errorf(biz.KindPermissionDenied, "FOREIGN_USER", "openid is not the session's own")
	}
	ask := &gatewayv1.BusinessRequest{}
	if err := r.codec.payload(req, ask); err != nil {
		return err
	}
	if !r.allowed() {
		return biz.Errorf(biz.KindResourceLimit, "RATE_LIMITED", "more than %g requests per second; slow down and send it again", r.limited.SendsPerSecond)
	}
	if err := r.h.bearable(); err != nil {
		return biz.AsError(err)
	}
	b := &business{h: r.h, session: r.session, life: r.life, req: req, ask: ask, codec: r.codec}
	b.asked.MsgID = req.GetMsgId()
	ctx = context.WithoutCancel(ctx)
	if most := r.h.cfg.Load().MaxRequests; !r.life.lane.add(most, func() { b.run(ctx) }) {
		return biz.Errorf(biz.KindResourceLimit, "TOO_MANY_REQUESTS", "%d requests of the session wait for an answer; send it again later", most)
	}
	return nil
}

// allowed takes the client's rate into account.
func (r *reader) allowed() bool {
	if cfg := r.h.cfg.Load(); cfg != r.limited {
		r.limiter, r.limited = rate.NewLimiter(limitOf(cfg), cfg.SendBurst), cfg
	}
	return r.limiter.Allow()
}

func limitOf(cfg *Config) rate.Limit {
	if cfg.SendsPerSecond == 0 {
		return rate.Inf
	}
	return rate.Limit(cfg.SendsPerSecond)
}

// finish lets the last answers reach a client that has ended its half of the connection.
func (r *reader) finish() {
	timeout := time.NewTimer(flushWindow)
	defer timeout.Stop()
	select {
	case <-r.life.lane.done():
	case <-timeout.C:
		return
	}
	select {
	case <-r.session.Drained():
	case <-timeout.C:
	}
}
