package service

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
)

// Webhooks serves WebhookService.
type Webhooks struct {
	gatewayv1.UnimplementedWebhookServiceServer
	webhooks *biz.Webhooks
	log      *slog.Logger
}

// NewWebhooks returns the service.
func NewWebhooks(webhooks *biz.Webhooks, log *slog.Logger) *Webhooks {
	return &Webhooks{webhooks: webhooks, log: log}
}

// ListWebhooks implements gatewayv1.WebhookServiceServer.
func (s *Webhooks) ListWebhooks(ctx context.Context, _ *gatewayv1.ListWebhooksRequest) (*gatewayv1.ListWebhooksResponse, error) {
	all, err := s.webhooks.List(ctx)
	if err != nil {
		return nil, Error(s.log, err)
	}
	resp := &gatewayv1.ListWebhooksResponse{Webhooks: make([]*gatewayv1.WebhookInfo, len(all))}
	now := time.Now()
	for i := range all {
		resp.Webhooks[i] = webhookInfo(&all[i], now)
	}
	return resp, nil
}

func webhookInfo(i *biz.WebhookInfo, now time.Time) *gatewayv1.WebhookInfo {
	info := &gatewayv1.WebhookInfo{
		Name: i.Name, Since: moment(i.Since), Lag: i.Lag, DeliveredAt: moment(i.Delivered), FailedAt: moment(i.Failed),
		LastError: i.Error, DeadLetters: i.Dead,
	}
	if i.Until.After(now) {
		info.Node = i.Owner
	}
	return info
}

func moment(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// ListDeadLetters implements gatewayv1.WebhookServiceServer.
func (s *Webhooks) ListDeadLetters(ctx context.Context, req *gatewayv1.ListDeadLettersRequest) (*gatewayv1.ListDeadLettersResponse, error) {
	after := biz.WebhookDead{Room: biz.RoomID(req.GetAfterRoomId()), From: req.GetAfterSeq()}
	dead, err := s.webhooks.Dead(ctx, req.GetWebhook(), after, int(req.GetPageSize()))
	if err != nil {
		return nil, Error(s.log, err)
	}
	resp := &gatewayv1.ListDeadLettersResponse{DeadLetters: make([]*gatewayv1.DeadLetter, len(dead))}
	for i, d := range dead {
		resp.DeadLetters[i] = &gatewayv1.DeadLetter{
			RoomId: string(d.Room), FromSeq: d.From, ToSeq: d.To, DiedAt: moment(d.Died), Reason: d.Reason, Again: d.Again,
		}
	}
	return resp, nil
}

// ReplayWebhook implements gatewayv1.WebhookServiceServer.
func (s *Webhooks) ReplayWebhook(ctx context.Context, req *gatewayv1.ReplayWebhookRequest) (*gatewayv1.ReplayWebhookResponse, error) {
	r := biz.WebhookReplay{Room: biz.RoomID(req.GetRoomId()), Seq: req.GetFromSeq(), Dead: req.GetDeadLetters()}
	if at := req.GetFromTime(); at != nil {
		if err := at.CheckValid(); err != nil {
			return nil, Error(s.log, biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "from_time is no time: %v", err))
		}
		r.Time = at.AsTime()
	}
	done, err := s.webhooks.Replay(ctx, req.GetWebhook(), r)
	if err != nil {
		return nil, Error(s.log, err)
	}
	s.log.InfoContext(ctx, "a webhook delivers again", "webhook", req.GetWebhook(), "rooms", done.Rooms, "messages", done.Messages, "caller", biz.IdentityFrom(ctx).Subject)
	return &gatewayv1.ReplayWebhookResponse{Rooms: int32(done.Rooms), Messages: done.Messages}, nil
}
