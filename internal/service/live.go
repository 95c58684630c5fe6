package service

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// SendEphemeral implements imv1.IMServiceServer. It answers when the node has handed it on, not when somebody has it.
func (s *IM) SendEphemeral(ctx context.Context, req *imv1.SendEphemeralRequest) (*imv1.SendEphemeralResponse, error) {
	if err := s.rules.Live.Ephemerals.Send(ctx, biz.IdentityFrom(ctx), imcall.EphemeralOf(req)); err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.EphemeralSent(), nil
}

// MarkRead implements imv1.IMServiceServer.
func (s *IM) MarkRead(ctx context.Context, req *imv1.MarkReadRequest) (*imv1.MarkReadResponse, error) {
	state, err := s.rules.Live.Watermarks.MarkRead(ctx, biz.IdentityFrom(ctx), biz.RoomID(req.GetRoomId()), biz.UserID(req.GetUserId()), req.GetSeq())
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Marked(state), nil
}

// ListReaders implements imv1.IMServiceServer.
func (s *IM) ListReaders(ctx context.Context, req *imv1.ListReadersRequest) (*imv1.ListReadersResponse, error) {
	page, err := s.rules.Live.Watermarks.Readers(ctx, biz.IdentityFrom(ctx), imcall.ReadersOf(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Readers(page), nil
}

// GetPresence implements imv1.IMServiceServer.
func (s *IM) GetPresence(ctx context.Context, req *imv1.GetPresenceRequest) (*imv1.GetPresenceResponse, error) {
	users, err := s.rules.Live.Presences.Of(ctx, biz.IdentityFrom(ctx), biz.UserID(req.GetUserId()), imcall.Users(req.GetUserIds()))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Presence(users), nil
}
