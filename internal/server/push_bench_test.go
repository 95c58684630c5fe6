package server_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/service"
)

// acker is a connection whose client acknowledges at once, and costs nothing else.
type acker struct{ session **session.Session }

func (acker) Read() ([]byte, error)      { return nil, io.EOF }
func (acker) Close(transport.Disconnect) {}
func (c acker) Write(out []transport.Outgoing) error {
	(*c.session).AckLink(out[len(out)-1].Link)
	return nil
}

// BenchmarkPushToClient is what a push costs from the decoded request to the connection and back:
// plainly, and for a caller who waits for the acknowledgement.
func BenchmarkPushToClient(b *testing.B) {
	for name, pairs := range map[string][]string{"plain": nil, "waits": {"wait", "acknowledged"}} {
		b.Run(name, func(b *testing.B) {
			cfg := session.Config{QueueBytes: 1 << 30, ResumeWindow: time.Minute, StallTimeout: time.Minute}
			n := node.New(session.NewCore(cfg, slog.New(slog.DiscardHandler)), broker.NewMemory(), presence.New(0))
			ctx, cancel := context.WithCancel(metadata.NewIncomingContext(context.Background(), metadata.Pairs(pairs...)))
			done := make(chan error, 1)
			go func() { done <- n.Run(ctx) }()
			var s *session.Session
			s = session.New(n.Core(), session.Options{ID: "1", User: "alice", Format: im.Proto, Resume: true}, acker{&s}, time.Time{})
			n.Open(s)
			s.Continue(acker{&s})
			pushes := biz.NewPushes(protocol.NewPusher(n), nil, nil, biz.PushRules{MaxBytes: 1 << 20, MaxTargets: 1})
			g := service.NewGateway(pushes, nil, service.NewGatewayMetrics(), slog.New(slog.DiscardHandler))
			req := &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice", MsgType: "m", Title: "t", Data: make([]byte, 128)}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if resp, err := g.PushToClient(ctx, req); err != nil || !resp.GetSuccess() {
					b.Fatal(resp, err)
				}
			}
			b.StopTimer()
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}
