package service

import (
	"context"
	"encoding/base64"
	"log/slog"

	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
)

// Sessions serves SessionService.
type Sessions struct {
	gatewayv1.UnimplementedSessionServiceServer
	sessions *biz.Sessions
	log      *slog.Logger
}

// NewSessions returns the service.
func NewSessions(sessions *biz.Sessions, log *slog.Logger) *Sessions {
	return &Sessions{sessions: sessions, log: log}
}

// ListSessions implements gatewayv1.SessionServiceServer.
func (s *Sessions) ListSessions(ctx context.Context, req *gatewayv1.ListSessionsRequest) (*gatewayv1.ListSessionsResponse, error) {
	after, err := base64.RawURLEncoding.DecodeString(req.GetPageToken())
	if err != nil {
		return nil, Error(s.log, biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "page_token %.64q is not one that was given out", req.GetPageToken()))
	}
	q := biz.SessionQuery{User: biz.UserID(req.GetOpenid()), GID: req.GetGid(), State: req.GetState()}
	page, err := s.sessions.List(ctx, q, biz.SessionID(after), int(req.GetPageSize()))
	if err != nil {
		return nil, Error(s.log, err)
	}
	resp := &gatewayv1.ListSessionsResponse{
		Sessions:      make([]*gatewayv1.SessionInfo, len(page.Sessions)),
		NextPageToken: base64.RawURLEncoding.EncodeToString([]byte(page.Next)),
		TotalCount:    int32(page.Total),
		SilentNodes:   int32(page.Silent),
	}
	for i, info := range page.Sessions {
		resp.Sessions[i] = sessionInfo(info)
	}
	return resp, nil
}

// GetSession implements gatewayv1.SessionServiceServer.
func (s *Sessions) GetSession(ctx context.Context, req *gatewayv1.GetSessionRequest) (*gatewayv1.SessionInfo, error) {
	info, err := s.sessions.Session(ctx, biz.SessionID(req.GetSessionId()))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return sessionInfo(info), nil
}

// CloseSession implements gatewayv1.SessionServiceServer.
func (s *Sessions) CloseSession(ctx context.Context, req *gatewayv1.CloseSessionRequest) (*gatewayv1.CloseSessionResponse, error) {
	closed, err := s.sessions.Close(ctx, biz.SessionID(req.GetSessionId()), req.GetCode(), req.GetReason())
	if err != nil {
		return nil, Error(s.log, err)
	}
	s.log.InfoContext(ctx, "a service has closed a session", "session", closed, "code", req.GetCode(), "caller", biz.IdentityFrom(ctx).Subject)
	return &gatewayv1.CloseSessionResponse{SessionId: string(closed)}, nil
}

func sessionInfo(i biz.SessionInfo) *gatewayv1.SessionInfo {
	return &gatewayv1.SessionInfo{
		SessionId: string(i.ID), Openid: string(i.User), Gid: i.GID, DeviceId: string(i.Device),
		Protocol: i.Protocol, Transport: i.Transport, RemoteAddr: i.Remote, State: i.State,
		CreatedAt: timestamppb.New(i.Started), LastActivity: timestamppb.New(i.LastActive),
		QueueFrames: int32(i.QueueFrames), QueueBytes: int32(i.QueueBytes), UnsentFrames: int32(i.Unsent),
		LastSentSeq: i.LastSent, LastAckedSeq: i.LastAcked, Node: i.Node,
	}
}
