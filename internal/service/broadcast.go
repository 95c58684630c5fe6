package service

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
)

// BroadcastToClients implements gatewayv1.GatewayServiceServer.
func (s *Gateway) BroadcastToClients(ctx context.Context, req *gatewayv1.BroadcastRequest) (*gatewayv1.BroadcastResponse, error) {
	o, wrong := options(ctx)
	if wrong != nil {
		return nil, Error(s.log, wrong)
	}
	p := &biz.Push{
		MsgType: req.GetMsgType(), Title: req.GetTitle(), Content: req.GetContent(),
		Data: req.GetData(), Metadata: req.GetMetadata(),
	}
	result, err := s.pushes.Broadcast(ctx, p, o)
	if err != nil {
		return nil, Error(s.log, err)
	}
	s.countBroadcast(result)
	return &gatewayv1.BroadcastResponse{
		SentCount:    int32(result.Sent),
		Message:      sentTo(result.BroadcastCounts),
		QueuedCount:  int32(result.Queued),
		SlowCount:    int32(result.Slow),
		SkippedCount: int32(result.Skipped),
		TotalCount:   int32(result.Total),
		SilentNodes:  int32(result.Silent),
	}, nil
}

// sentTo says how far a broadcast came, for people.
func sentTo(c biz.BroadcastCounts) string {
	text := fmt.Sprintf("sent to %d of %d sessions", c.Sent, c.Total)
	if c.Silent > 0 {
		text += fmt.Sprintf("; how many sessions %d other nodes have, which did not answer, is not known", c.Silent)
	}
	return text
}

// PaceBroadcast implements gatewayv1.GatewayServiceServer. The last message tells how far the broadcast
// got, if it was cut short too; then an error follows.
func (s *Gateway) PaceBroadcast(req *gatewayv1.PaceBroadcastRequest, stream grpc.ServerStreamingServer[gatewayv1.BroadcastProgress]) error {
	o, wrong := options(stream.Context())
	if wrong != nil {
		return Error(s.log, wrong)
	}
	p := &biz.Push{
		MsgType: req.GetMsgType(), Title: req.GetTitle(), Content: req.GetContent(),
		Data: req.GetData(), Metadata: req.GetMetadata(),
	}
	begun := false
	result, err := s.pushes.PaceBroadcast(stream.Context(), p, biz.Pace{
		PerSecond: int(req.GetClientsPerSecond()),
		Report: func(c biz.BroadcastCounts) error {
			begun = true
			return stream.Send(progress(c, false))
		},
	}, o)
	if err == nil || begun {
		s.countBroadcast(result)
		if err := stream.Send(progress(result.BroadcastCounts, true)); err != nil {
			return err // the caller has gone
		}
	}
	return Error(s.log, err)
}

func progress(c biz.BroadcastCounts, done bool) *gatewayv1.BroadcastProgress {
	return &gatewayv1.BroadcastProgress{
		SentCount:      int32(c.Sent),
		QueuedCount:    int32(c.Queued),
		SlowCount:      int32(c.Slow),
		SkippedCount:   int32(c.Skipped),
		ExpiredCount:   int32(c.Expired),
		RemainingCount: int32(c.Remaining()),
		UnknownCount:   int32(c.Unknown),
		TotalCount:     int32(c.Total),
		SilentNodes:    int32(c.Silent),
		Done:           done,
	}
}

func (s *Gateway) countBroadcast(r biz.BroadcastResult) {
	if r.Repeated {
		s.metrics.repeats.Inc()
		return
	}
	s.metrics.broadcast(r.Sent)
}
