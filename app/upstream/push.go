package sample

import (
	"context"
	"fmt"

	"github.com/game-im/hermod/sdk/upstream"
)

// broadcast pushes a message to everybody who is connected.
func (s *service) broadcast(ctx context.Context, r *upstream.Request) (*upstream.Response, error) {
	message := r.Params["message"]
	if message == "" {
		message = "hello, everybody"
	}
	sent, err := s.gateway.Broadcast(ctx, upstream.Notification{MsgType: "broadcast", Title: "from " + r.OpenID, Content: message, Data: r.Data})
	if err != nil {
		return nil, err
	}
	return &upstream.Response{Message: fmt.Sprintf("sessions reached: %d", sent)}, nil
}

// before pushes to who asks, ahead of the answer.
func (s *service) before(ctx context.Context, r *upstream.Request) (*upstream.Response, error) {
	return s.pushAnd(ctx, r, upstream.Before(r))
}

// after pushes to who asks, behind the answer.
func (s *service) after(ctx context.Context, r *upstream.Request) (*upstream.Response, error) {
	return s.pushAnd(ctx, r, upstream.After(r))
}

func (s *service) pushAnd(ctx context.Context, r *upstream.Request, when upstream.CallOption) (*upstream.Response, error) {
	notice := upstream.Notification{MsgType: r.Action, Title: "pushed " + r.Action + " the answer", Data: r.Data}
	if _, err := s.gateway.Push(ctx, r.Caller(), notice, when); err != nil {
		return nil, err
	}
	return &upstream.Response{Message: "the answer to " + r.Action}, nil
}
