package service

import (
	"context"
	"fmt"
	"log/slog"

	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
)

// keyOffline is the request metadata that says what becomes of a push for somebody who is away.
const (
	keyOffline   = "offline"
	offlineStore = "store"
)

// Gateway serves GatewayService.
type Gateway struct {
	gatewayv1.UnimplementedGatewayServiceServer
	pushes  *biz.Pushes
	metrics *GatewayMetrics
	log     *slog.Logger
}

// NewGateway returns the service.
func NewGateway(pushes *biz.Pushes, metrics *GatewayMetrics, log *slog.Logger) *Gateway {
	return &Gateway{pushes: pushes, metrics: metrics, log: log}
}

// PushToClient implements gatewayv1.GatewayServiceServer.
func (s *Gateway) PushToClient(ctx context.Context, req *gatewayv1.UnicastPushRequest) (*gatewayv1.UnicastPushResponse, error) {
	if req.GetSyncHint() != gatewayv1.NotifySyncHint_NSH_IMMEDIATELY && req.GetBindClientSeqId() == 0 {
		s.metrics.outcome(biz.OutcomeRejected)
		return &gatewayv1.UnicastPushResponse{
			Message:   fmt.Sprintf("bind_client_seq_id is required with %s", req.GetSyncHint()),
			ErrorCode: gatewayv1.PushErrorCode_INVALID_REQUEST.String(),
		}, nil
	}
	p := &biz.Push{
		MsgType: req.GetMsgType(), Title: req.GetTitle(), Content: req.GetContent(),
		Data: req.GetData(), Metadata: req.GetMetadata(),
	}
	result := s.pushes.Push(ctx, biz.Target{Type: req.GetTargetType(), ID: req.GetTargetId()}, p, options(ctx))
	s.metrics.outcome(result.Outcome)
	text, code := s.explain(result)
	return &gatewayv1.UnicastPushResponse{Success: result.Err == nil, Message: text, ErrorCode: code}, nil
}

// BatchPushToClients implements gatewayv1.GatewayServiceServer.
func (s *Gateway) BatchPushToClients(ctx context.Context, req *gatewayv1.BatchUnicastPushRequest) (*gatewayv1.BatchUnicastPushResponse, error) {
	p := &biz.Push{
		MsgType: req.GetMsgType(), Title: req.GetTitle(), Content: req.GetContent(),
		Data: req.GetData(), Metadata: req.GetMetadata(),
	}
	targets := make([]biz.Target, len(req.GetTargets()))
	for i, t := range req.GetTargets() {
		targets[i] = biz.Target{Type: t.GetTargetType(), ID: t.GetTargetId()}
	}
	results, err := s.pushes.Batch(ctx, targets, p, options(ctx))
	if err != nil {
		return nil, Error(s.log, err)
	}
	resp := &gatewayv1.BatchUnicastPushResponse{
		TotalCount: int32(len(results)),
		Results:    make([]*gatewayv1.UnicastResult, len(results)),
	}
	for i, result := range results {
		s.metrics.outcome(result.Outcome)
		one := &gatewayv1.UnicastResult{TargetType: targets[i].Type, TargetId: targets[i].ID, Success: result.Err == nil}
		if one.Success {
			resp.SuccessCount++
		} else {
			one.ErrorMessage, one.ErrorCode = s.explain(result)
		}
		resp.Results[i] = one
	}
	return resp, nil
}

// BroadcastToClients implements gatewayv1.GatewayServiceServer.
func (s *Gateway) BroadcastToClients(ctx context.Context, req *gatewayv1.BroadcastRequest) (*gatewayv1.BroadcastResponse, error) {
	p := &biz.Push{
		MsgType: req.GetMsgType(), Title: req.GetTitle(), Content: req.GetContent(),
		Data: req.GetData(), Metadata: req.GetMetadata(),
	}
	sent, total, err := s.pushes.Broadcast(ctx, p)
	if err != nil {
		return nil, Error(s.log, err)
	}
	s.metrics.broadcast(sent)
	return &gatewayv1.BroadcastResponse{
		SentCount: int32(sent),
		Message:   fmt.Sprintf("sent to %d of %d sessions", sent, total),
	}, nil
}

// explain returns the text and the error code of a result.
func (s *Gateway) explain(r biz.PushResult) (text, code string) {
	if r.Err == nil {
		return r.Outcome.String(), ""
	}
	if _, listed := gatewayv1.PushErrorCode_value[r.Err.Reason]; listed {
		return r.Err.Text, r.Err.Reason
	}
	if r.Err.Kind == biz.KindInternal || r.Err.Unwrap() != nil {
		s.log.Error("a push failed", "reason", r.Err.Reason, "error", r.Err)
	}
	return r.Err.Text, gatewayv1.PushErrorCode_PUSH_FAILED.String()
}

func options(ctx context.Context) biz.PushOptions {
	md, _ := metadata.FromIncomingContext(ctx) // without metadata nothing is asked for
	for _, v := range md.Get(keyOffline) {
		if v == offlineStore {
			return biz.PushOptions{StoreOffline: true}
		}
	}
	return biz.PushOptions{}
}
