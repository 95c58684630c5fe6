package service

import (
	"context"
	"log/slog"
	"strconv"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
)

// Gateway serves GatewayService.
type Gateway struct {
	gatewayv1.UnimplementedGatewayServiceServer
	pushes   *biz.Pushes
	services *biz.Services
	metrics  *GatewayMetrics
	log      *slog.Logger
}

// NewGateway returns the service.
func NewGateway(pushes *biz.Pushes, services *biz.Services, metrics *GatewayMetrics, log *slog.Logger) *Gateway {
	return &Gateway{pushes: pushes, services: services, metrics: metrics, log: log}
}

// PushToClient implements gatewayv1.GatewayServiceServer.
func (s *Gateway) PushToClient(ctx context.Context, req *gatewayv1.UnicastPushRequest) (*gatewayv1.UnicastPushResponse, error) {
	result := s.push(ctx, req)
	s.count(result)
	text, code := s.explain(result)
	return &gatewayv1.UnicastPushResponse{
		Success: result.Err == nil, Message: text, ErrorCode: code, Outcome: outcomes[result.Outcome],
	}, nil
}

func (s *Gateway) push(ctx context.Context, req *gatewayv1.UnicastPushRequest) biz.PushResult {
	o, err := options(ctx)
	var bound biz.PushBound
	if err == nil {
		bound, err = binding(req.GetSyncHint(), req.GetBindClientSeqId())
	}
	if err != nil {
		return biz.PushResult{Outcome: biz.OutcomeRejected, Err: err}
	}
	if bound.ClientSeq != 0 {
		o.Bound = req.GetSyncHint().String() + " " + strconv.FormatUint(bound.ClientSeq, 10)
	}
	p := &biz.Push{
		MsgType: req.GetMsgType(), Title: req.GetTitle(), Content: req.GetContent(),
		Data: req.GetData(), Metadata: req.GetMetadata(), Bound: bound,
	}
	return s.pushes.Push(ctx, biz.Target{Type: req.GetTargetType(), ID: req.GetTargetId()}, p, o)
}

// binding reads which answer a push goes with. A number without a hint says nothing.
func binding(hint gatewayv1.NotifySyncHint, seq uint64) (biz.PushBound, *biz.Error) {
	switch {
	case hint == gatewayv1.NotifySyncHint_NSH_IMMEDIATELY:
		return biz.PushBound{}, nil
	case gatewayv1.NotifySyncHint_name[int32(hint)] == "":
		return biz.PushBound{}, biz.Errorf(biz.KindInvalid, "INVALID_REQUEST", "sync_hint %d is not known; NSH_IMMEDIATELY (0), NSH_BEFORE_RESPONSE (1) and NSH_AFTER_RESPONSE (2) are allowed", hint)
	case seq == 0:
		return biz.PushBound{}, biz.Errorf(biz.KindInvalid, "INVALID_REQUEST", "bind_client_seq_id is required with %s", hint)
	}
	return biz.PushBound{ClientSeq: seq, After: hint == gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE}, nil
}

// BatchPushToClients implements gatewayv1.GatewayServiceServer.
func (s *Gateway) BatchPushToClients(ctx context.Context, req *gatewayv1.BatchUnicastPushRequest) (*gatewayv1.BatchUnicastPushResponse, error) {
	o, wrong := options(ctx)
	if wrong != nil {
		return nil, Error(s.log, wrong)
	}
	p := &biz.Push{
		MsgType: req.GetMsgType(), Title: req.GetTitle(), Content: req.GetContent(),
		Data: req.GetData(), Metadata: req.GetMetadata(),
	}
	targets := make([]biz.Target, len(req.GetTargets()))
	for i, t := range req.GetTargets() {
		targets[i] = biz.Target{Type: t.GetTargetType(), ID: t.GetTargetId()}
	}
	results, err := s.pushes.Batch(ctx, targets, p, o)
	if err != nil {
		return nil, Error(s.log, err)
	}
	resp := &gatewayv1.BatchUnicastPushResponse{
		TotalCount: int32(len(results)),
		Results:    make([]*gatewayv1.UnicastResult, len(results)),
	}
	for i, result := range results {
		resp.Results[i] = s.result(targets[i], result)
		if result.Err == nil {
			resp.SuccessCount++
		}
	}
	return resp, nil
}

// result counts a target's result and puts it in the terms of a batch.
func (s *Gateway) result(t biz.Target, r biz.PushResult) *gatewayv1.UnicastResult {
	s.count(r)
	text, code := s.explain(r)
	one := &gatewayv1.UnicastResult{
		TargetType: t.Type, TargetId: t.ID, Success: r.Err == nil, Message: text, ErrorCode: code, Outcome: outcomes[r.Outcome],
	}
	if !one.Success {
		one.ErrorMessage = text
	}
	return one
}

// outcomes are those of the rules on the wire.
var outcomes = [...]gatewayv1.PushOutcome{
	biz.OutcomeDelivered: gatewayv1.PushOutcome_PUSH_OUTCOME_DELIVERED,
	biz.OutcomeQueued:    gatewayv1.PushOutcome_PUSH_OUTCOME_QUEUED,
	biz.OutcomeOffline:   gatewayv1.PushOutcome_PUSH_OUTCOME_OFFLINE,
	biz.OutcomeNotFound:  gatewayv1.PushOutcome_PUSH_OUTCOME_NOT_FOUND,
	biz.OutcomeSlow:      gatewayv1.PushOutcome_PUSH_OUTCOME_SLOW,
	biz.OutcomeRejected:  gatewayv1.PushOutcome_PUSH_OUTCOME_REJECTED,
	biz.OutcomeUnknown:   gatewayv1.PushOutcome_PUSH_OUTCOME_UNKNOWN,
	biz.OutcomeExpired:   gatewayv1.PushOutcome_PUSH_OUTCOME_EXPIRED,
}

func (s *Gateway) count(r biz.PushResult) {
	if r.Repeated {
		s.metrics.repeats.Inc()
		return
	}
	s.metrics.outcome(r.Outcome)
}

// explain returns the text and the error code of a result.
func (s *Gateway) explain(r biz.PushResult) (text, code string) {
	switch {
	case r.Err == nil && r.Note != "":
		return r.Outcome.String() + ": " + r.Note, ""
	case r.Err == nil:
		return r.Outcome.String(), ""
	}
	if _, listed := gatewayv1.PushErrorCode_value[r.Err.Reason]; listed {
		return r.Err.Text, r.Err.Reason
	}
	if !r.Repeated && (r.Err.Kind == biz.KindInternal || r.Err.Unwrap() != nil) {
		s.log.Error("a push failed", "reason", r.Err.Reason, "error", r.Err)
	}
	return r.Err.Text, gatewayv1.PushErrorCode_PUSH_FAILED.String()
}
