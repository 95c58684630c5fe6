package upstream_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/sdk/upstream"
	"github.com/game-im/hermod/test/loopback"
)

const patience = time.Minute

// gateway answers by the target's id, and remembers what it was asked.
type gateway struct {
	gatewayv1.UnimplementedGatewayServiceServer
	addr   string
	server *grpc.Server

	mu          sync.Mutex
	md          []metadata.MD
	unicasts    []*gatewayv1.UnicastPushRequest
	batches     []*gatewayv1.BatchUnicastPushRequest
	broadcasts  []*gatewayv1.BroadcastRequest
	unavailable int           // so many calls are refused first
	deadline    time.Duration // of the last call
}

func serve(t *testing.T, opts ...grpc.ServerOption) *gateway {
	t.Helper()
	lis := loopback.Listen(t)
	g := &gateway{addr: lis.Addr().String()}
	g.serveOn(t, lis, opts...)
	return g
}

func (g *gateway) serveOn(t *testing.T, lis net.Listener, opts ...grpc.ServerOption) {
	t.Helper()
	g.server = grpc.NewServer(opts...)
	gatewayv1.RegisterGatewayServiceServer(g.server, g)
	go func(s *grpc.Server) {
		if err := s.Serve(lis); err != nil {
			t.Error(err)
		}
	}(g.server)
	t.Cleanup(g.server.Stop)
}

// client returns a connected client, with its own options before those that every test has.
func (g *gateway) client(t *testing.T, opts ...upstream.Option) *upstream.UnicastClient {
	t.Helper()
	c := upstream.NewUnicastClient(g.addr, append([]upstream.Option{upstream.WithTimeout(patience)}, opts...)...)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// asked notes a call. It must be called with the mutex held.
func (g *gateway) asked(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	g.md = append(g.md, md)
	if end, ok := ctx.Deadline(); ok {
		g.deadline = time.Until(end)
	}
	if g.unavailable > 0 {
		g.unavailable--
		return status.Error(codes.Unavailable, "draining")
	}
	return nil
}

func (g *gateway) PushToClient(ctx context.Context, req *gatewayv1.UnicastPushRequest) (*gatewayv1.UnicastPushResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.asked(ctx); err != nil {
		return nil, err
	}
	g.unicasts = append(g.unicasts, req)
	switch req.GetTargetId() {
	case "away":
		return &gatewayv1.UnicastPushResponse{Message: "no session", ErrorCode: "TARGET_OFFLINE", Outcome: gatewayv1.PushOutcome_PUSH_OUTCOME_OFFLINE}, nil
	case "away, says an older gateway":
		return &gatewayv1.UnicastPushResponse{Message: "no session", ErrorCode: "TARGET_OFFLINE"}, nil
	case "failing, says an older gateway":
		return &gatewayv1.UnicastPushResponse{Message: "no", ErrorCode: "PUSH_FAILED"}, nil
	case "late":
		return &gatewayv1.UnicastPushResponse{Success: true, Message: "queued: late", Outcome: gatewayv1.PushOutcome_PUSH_OUTCOME_QUEUED}, nil
	case "late, says an older gateway":
		return &gatewayv1.UnicastPushResponse{Success: true, Message: "queued"}, nil
	}
	return &gatewayv1.UnicastPushResponse{Success: true, Message: "delivered"}, nil
}

func (g *gateway) BatchPushToClients(ctx context.Context, req *gatewayv1.BatchUnicastPushRequest) (*gatewayv1.BatchUnicastPushResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.asked(ctx); err != nil {
		return nil, err
	}
	g.batches = append(g.batches, req)
	if len(req.GetTargets()) > 3 {
		return nil, refused(codes.InvalidArgument, "TOO_MANY_TARGETS", "at most 3 are allowed")
	}
	resp := &gatewayv1.BatchUnicastPushResponse{TotalCount: int32(len(req.GetTargets()))}
	for _, t := range req.GetTargets() {
		r := &gatewayv1.UnicastResult{TargetType: t.GetTargetType(), TargetId: t.GetTargetId(), Success: t.GetTargetId() != "away"}
		if r.Success {
			resp.SuccessCount++
			r.Message, r.Outcome = "delivered", gatewayv1.PushOutcome_PUSH_OUTCOME_DELIVERED
		} else {
			r.ErrorMessage, r.ErrorCode = "no session", "TARGET_OFFLINE"
		}
		resp.Results = append(resp.Results, r)
	}
	return resp, nil
}

func (g *gateway) BroadcastToClients(ctx context.Context, req *gatewayv1.BroadcastRequest) (*gatewayv1.BroadcastResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.asked(ctx); err != nil {
		return nil, err
	}
	g.broadcasts = append(g.broadcasts, req)
	if req.GetTitle() == "wrong" {
		return nil, refused(codes.InvalidArgument, "INVALID_REQUEST", "title is wrong")
	}
	return &gatewayv1.BroadcastResponse{SentCount: 3, Message: "sent to 3 of 5 sessions"}, nil
}

func refused(code codes.Code, reason, text string) error {
	st, err := status.New(code, text).WithDetails(&errdetails.ErrorInfo{Reason: reason})
	if err != nil {
		return err
	}
	return st.Err()
}

// calls returns how many there were.
func (g *gateway) calls() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.md)
}

// last returns the metadata of the last call.
func (g *gateway) last(key string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.md[len(g.md)-1].Get(key)
}
