package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/sdk/upstream"
)

// PaceBroadcast reports twice, and then waits for its end if the title says so.
func (g *gateway) PaceBroadcast(req *gatewayv1.PaceBroadcastRequest, s grpc.ServerStreamingServer[gatewayv1.BroadcastProgress]) error {
	g.mu.Lock()
	err := g.asked(s.Context())
	g.mu.Unlock()
	if err != nil {
		return err
	}
	for _, p := range []*gatewayv1.BroadcastProgress{
		{RemainingCount: 9, TotalCount: 9},
		{SentCount: 1, QueuedCount: 2, SlowCount: 1, SkippedCount: 1, ExpiredCount: 1, RemainingCount: 3, TotalCount: 9, Done: true},
	} {
		if err := s.Send(p); err != nil {
			return err
		}
	}
	switch req.GetTitle() {
	case "hangs":
		<-s.Context().Done()
		return s.Context().Err()
	case "stops":
		return refused(codes.Unavailable, "NOT_SERVING", "the node is stopping")
	}
	return nil
}

func TestPaceBroadcast(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := g.client(t, upstream.WithTimeout(time.Nanosecond)) // which is for calls that are answered at once
	var reports []upstream.Progress
	report := func(p upstream.Progress) { reports = append(reports, p) }
	g.unavailable = 2
	got, err := c.PaceBroadcast(t.Context(), upstream.Notification{}, 10, report, upstream.IdempotencyKey("k"), upstream.TTL(time.Hour))
	want := upstream.Progress{Sent: 1, Queued: 2, Slow: 1, Skipped: 1, Expired: 1, Remaining: 3, Total: 9}
	if err != nil || got != want || len(reports) != 2 || reports[0] != (upstream.Progress{Remaining: 9, Total: 9}) {
		t.Errorf("%+v, %v, %+v", got, err, reports)
	}
	if g.calls() != 3 || !slices.Equal(g.last("ttl"), []string{"1h0m0s"}) || !slices.Equal(g.last("idempotency-key"), []string{"k"}) {
		t.Errorf("%d calls, the last with %v", g.calls(), g.md[len(g.md)-1])
	}
	got, err = c.PaceBroadcast(t.Context(), upstream.Notification{Title: "stops"}, 10, nil)
	if err == nil || got != want {
		t.Errorf("stopped: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, err = c.PaceBroadcast(ctx, upstream.Notification{Title: "hangs"}, 10, func(p upstream.Progress) {
		if p.Remaining < 9 {
			cancel()
		}
	})
	if err == nil || ctx.Err() == nil || got != want {
		t.Errorf("canceled: %+v, %v", got, err)
	}
	for _, wrong := range []error{
		second(c.PaceBroadcast(t.Context(), upstream.Notification{}, 0, nil)),
		second(c.PaceBroadcast(t.Context(), upstream.Notification{}, 1, nil, upstream.StoreOffline())),
		second(c.PaceBroadcast(t.Context(), upstream.Notification{}, 1, nil, upstream.TTL(0))),
	} {
		if wrong == nil || !strings.Contains(wrong.Error(), "not possible") {
			t.Errorf("%v", wrong)
		}
	}
}

func second(_ upstream.Progress, err error) error { return err }

// directory has 2500 sessions, and fails behind as many as are wanted.
type directory struct {
	gatewayv1.UnimplementedSessionServiceServer
	fail  bool
	asked []*gatewayv1.ListSessionsRequest
}

func (d *directory) ListSessions(_ context.Context, req *gatewayv1.ListSessionsRequest) (*gatewayv1.ListSessionsResponse, error) {
	d.asked = append(d.asked, req)
	from := 0
	if req.GetPageToken() != "" {
		if _, err := fmt.Sscan(req.GetPageToken(), &from); err != nil {
			return nil, err
		}
		if d.fail {
			return nil, refused(codes.Internal, "INTERNAL", "no")
		}
	}
	to := min(from+int(req.GetPageSize()), 2500)
	resp := &gatewayv1.ListSessionsResponse{TotalCount: 2500}
	for i := from; i < to; i++ {
		resp.Sessions = append(resp.Sessions, &gatewayv1.SessionInfo{
			SessionId: fmt.Sprint(i), Openid: "alice", Gid: 7, State: "active", CreatedAt: timestamppb.New(time.Unix(5, 0)), LastSentSeq: 3,
		})
	}
	if to < 2500 {
		resp.NextPageToken = fmt.Sprint(to)
	}
	return resp, nil
}

func (d *directory) CloseSession(_ context.Context, req *gatewayv1.CloseSessionRequest) (*gatewayv1.CloseSessionResponse, error) {
	if req.GetSessionId() == "none" {
		return nil, refused(codes.NotFound, "TARGET_NOT_FOUND", "no such session")
	}
	return &gatewayv1.CloseSessionResponse{SessionId: fmt.Sprint(req.GetSessionId(), req.GetCode(), req.GetReason())}, nil
}

func TestSessions(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &directory{}
	s := grpc.NewServer()
	gatewayv1.RegisterSessionServiceServer(s, d)
	go func() {
		if err := s.Serve(lis); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(s.Stop)
	c := (&gateway{addr: lis.Addr().String()}).client(t)

	n := 0
	for info, err := range c.Sessions(t.Context(), upstream.SessionFilter{OpenID: "alice", GID: 7, State: "active"}) {
		if err != nil || info.ID != fmt.Sprint(n) || info.OpenID != "alice" || info.GID != 7 || info.Created.Unix() != 5 || info.LastSent != 3 {
			t.Fatalf("session %d: %+v, %v", n, info, err)
		}
		n++
	}
	if n != 2500 || len(d.asked) != 3 || d.asked[2].GetOpenid() != "alice" || d.asked[2].GetGid() != 7 || d.asked[2].GetState() != "active" {
		t.Errorf("%d sessions in %d pages, the last %v", n, len(d.asked), d.asked[2])
	}
	for range c.Sessions(t.Context(), upstream.SessionFilter{}) {
		break
	}
	if len(d.asked) != 4 {
		t.Errorf("%d pages for one session", len(d.asked)-3)
	}
	d.fail, n = true, 0
	var last error
	for _, err := range c.Sessions(t.Context(), upstream.SessionFilter{}) {
		n, last = n+1, err
	}
	if n != 1001 || last == nil {
		t.Errorf("%d values, the last with %v", n, last)
	}
	if closed, err := c.CloseSession(t.Context(), "x", 4600, "banned"); err != nil || closed != "x4600banned" {
		t.Errorf("%q, %v", closed, err)
	}
	if _, err := c.CloseSession(t.Context(), "none", 0, ""); !errors.Is(err, upstream.ErrTargetNotFound) {
		t.Errorf("%v", err)
	}
}
