package service

import (
	"context"
	"log/slog"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// Readiness tells whether the node serves.
type Readiness interface {
	// Ready returns nil, or why the node is not ready.
	Ready(ctx context.Context) error
}

// IM serves im.v1.IMService but for its stream of messages.
type IM struct {
	imv1.UnimplementedIMServiceServer
	rules   IMRules
	uploads *Uploads
	ready   Readiness
	log     *slog.Logger
}

// IMRules are the use cases that IM calls.
type IMRules struct {
	Rooms       *biz.Rooms
	Messages    *biz.Messages
	Revisions   *biz.Revisions
	History     *biz.History
	Search      *biz.Search
	Transcripts *biz.Transcripts
	Live        Live
}

// Live are the use cases of what is told to those who are there.
type Live struct {
	Ephemerals *biz.Ephemerals
	Watermarks *biz.Watermarks
	Presences  *biz.Presences
}

// NewIM returns the service.
func NewIM(rules IMRules, uploads *Uploads, ready Readiness, log *slog.Logger) *IM {
	return &IM{rules: rules, uploads: uploads, ready: ready, log: log}
}

// SendMessage implements imv1.IMServiceServer. It answers once the message is stored, or when ctx
// ends; then whether it was stored is not known, and sending it again with the same message_id is
// safe.
func (s *IM) SendMessage(ctx context.Context, req *imv1.SendMessageRequest) (*imv1.SendMessageResponse, error) {
	type outcome struct {
		receipt biz.Receipt
		err     error
	}
	done := make(chan outcome, 1)
	draft := imcall.Draft(req)
	if err := s.rules.Rooms.Address(ctx, biz.IdentityFrom(ctx), draft, biz.UserID(req.GetToUserId())); err != nil {
		return nil, Error(s.log, err)
	}
	room := draft.Room
	s.rules.Messages.Send(ctx, biz.IdentityFrom(ctx), draft, func(r biz.Receipt, err error) { done <- outcome{r, err} })
	select {
	case o := <-done:
		if o.err != nil {
			return nil, Error(s.log, o.err)
		}
		return imcall.Sent(room, o.receipt), nil
	case <-ctx.Done():
		return nil, Error(s.log, ctx.Err())
	}
}

// JoinRoom implements imv1.IMServiceServer.
func (s *IM) JoinRoom(ctx context.Context, req *imv1.JoinRoomRequest) (*imv1.JoinRoomResponse, error) {
	joined, err := s.rules.Rooms.Join(ctx, biz.IdentityFrom(ctx), imcall.Join(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	view, err := s.rules.Rooms.View(ctx, joined.Room.ID)
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Joined(view), nil
}

// LeaveRoom implements imv1.IMServiceServer.
func (s *IM) LeaveRoom(ctx context.Context, req *imv1.LeaveRoomRequest) (*imv1.LeaveRoomResponse, error) {
	err := s.rules.Rooms.Leave(ctx, biz.IdentityFrom(ctx), biz.RoomID(req.GetRoomId()), biz.UserID(req.GetUserId()))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Left(), nil
}

// GetRoomInfo implements imv1.IMServiceServer.
func (s *IM) GetRoomInfo(ctx context.Context, req *imv1.GetRoomInfoRequest) (*imv1.GetRoomInfoResponse, error) {
	view, err := s.rules.Rooms.Info(ctx, biz.IdentityFrom(ctx), biz.RoomID(req.GetRoomId()), biz.UserID(req.GetUserId()))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Room(view), nil
}

// HealthCheck implements imv1.IMServiceServer.
func (s *IM) HealthCheck(ctx context.Context, req *imv1.HealthCheckRequest) (*imv1.HealthCheckResponse, error) {
	if name := req.GetService(); name != "" && name != imv1.IMService_ServiceDesc.ServiceName {
		return &imv1.HealthCheckResponse{
			Status:  imv1.HealthStatus_HEALTH_STATUS_SERVICE_UNKNOWN,
			Message: "service " + name + " is not served here; " + imv1.IMService_ServiceDesc.ServiceName + " is",
		}, nil
	}
	if err := s.ready.Ready(ctx); err != nil {
		return &imv1.HealthCheckResponse{Status: imv1.HealthStatus_HEALTH_STATUS_NOT_SERVING, Message: err.Error()}, nil
	}
	return &imv1.HealthCheckResponse{Status: imv1.HealthStatus_HEALTH_STATUS_SERVING, Message: "serving"}, nil
}
