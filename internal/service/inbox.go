package service

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
)

// GetInbox implements gatewayv1.GatewayServiceServer.
func (s *Gateway) GetInbox(ctx context.Context, req *gatewayv1.GetInboxRequest) (*gatewayv1.InboxInfo, error) {
	state, err := s.pushes.Inbox(ctx, biz.UserID(req.GetOpenid()))
	if err != nil {
		return nil, Error(s.log, err)
	}
	info := &gatewayv1.InboxInfo{Openid: req.GetOpenid(), Pushes: int32(state.Pushes), Bytes: state.Bytes}
	if !state.Oldest.IsZero() {
		info.OldestAt = timestamppb.New(state.Oldest)
	}
	return info, nil
}
