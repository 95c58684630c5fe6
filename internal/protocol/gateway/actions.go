package gateway

import (
	"context"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Actions are what the node itself answers to sessions that are logged in, before any service is
// asked.
type Actions interface {
	// Knows tells whether an action is the node's own to answer, or to refuse.
	Knows(action string) bool
	// Perform answers a request, or refuses it. Requests of one session come one after another; ctx
	// ends when the client has waited long enough.
	Perform(ctx context.Context, r *Request)
	// Inherit lets a session follow what another one of the same client followed that has ended. It is an
	// error if that is not known now.
	Inherit(ctx context.Context, s *session.Session, id biz.Identity, channels []string) error
	// Follower returns what lets sessions follow rooms.
	Follower() *protocol.Follower
}

// Request is a request for one of the node's own actions.
type Request struct {
	Action   string
	Identity biz.Identity // who is asking
	Session  *session.Session

	b *business
}

// Asked is the request as a draft carries it, whose delivery then is the answer.
func (r *Request) Asked() *biz.Asked { return &r.b.asked }

// Param is a parameter of the request; empty: it has none of the name.
func (r *Request) Param(name string) string { return r.b.ask.GetParams()[name] }

// Read decodes the request's data, which is in JSON or in protobuf where the session speaks JSON, and
// otherwise in protobuf.
func (r *Request) Read(into proto.Message) error {
	if err := r.b.codec.embedded(r.b.ask.GetData(), into, "data"); err != nil {
		return err
	}
	return nil
}

// Answer answers the request with code 200, unless it was answered before. Data is encoded as the
// session has it; nil: none.
func (r *Request) Answer(data proto.Message, headers map[string]string) {
	if r.b.asked.Answer() {
		r.Session.Reply(frame.New(answered(r.b.req.GetMsgId(), data, headers)))
	}
}

// Refuse answers the request with an ERROR, unless it was answered before.
func (r *Request) Refuse(err error) { r.b.refuse(biz.AsError(err)) }

// answered is the answer to a request for one of the node's own actions.
func answered(msgID uint32, data proto.Message, headers map[string]string) *outgoing {
	return &outgoing{
		msgID: msgID, body: &gatewayv1.BusinessResponse{Code: codeOK, Message: "success"},
		data: data, headers: headersOf(data, headers),
	}
}

// own tells whether an action is the node's own.
func (h *Handler) own(action string) bool { return h.actions != nil && h.actions.Knows(action) }

// perform has the node itself answer the request. No service is asked, so no push is bound to the answer.
func (b *business) perform(ctx context.Context) {
	b.session.Settle(b.req.GetSeqId())
	id, _ := b.life.who()
	b.h.actions.Perform(ctx, &Request{Action: b.ask.GetAction(), Identity: id, Session: b.session, b: b})
}
