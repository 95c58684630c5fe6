package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/upstream"
)

const patience = time.Minute

// business is a service: each action is a sort of answer.
type business struct {
	upstreamv1.UnimplementedUpstreamServiceServer
	got chan *upstreamv1.UpstreamRequest
}

func (b *business) ProcessRequest(ctx context.Context, r *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
	select {
	case b.got <- r:
	default:
	}
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		if r.GetAction() == code.String() && code != codes.OK {
			return nil, status.Error(code, "a secret")
		}
	}
	switch r.GetAction() {
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	case "large":
		return &upstreamv1.UpstreamResponse{Data: make([]byte, 5<<20)}, nil
	}
	return &upstreamv1.UpstreamResponse{Code: 200, Message: r.GetAction(), Data: r.GetData(), Headers: map[string]string{"k": "v"}}, nil
}

// serve runs a service under its older name, or under the current one alone, until the test ends.
func serve(t *testing.T, current bool, opts ...grpc.ServerOption) (*business, string, *counting) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &counting{Listener: lis}
	b := &business{got: make(chan *upstreamv1.UpstreamRequest, 100)}
	desc := upstreamv1.UpstreamService_ServiceDesc
	if !current {
		desc.ServiceName = "gatesvr.proto.UpstreamService"
	}
	srv := grpc.NewServer(opts...)
	srv.RegisterService(&desc, b)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(counted) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b, lis.Addr().String(), counted
}

// counting counts the connections that a listener has accepted and that are open.
type counting struct {
	net.Listener
	accepted, open atomic.Int64
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.accepted.Add(1)
	c.open.Add(1)
	return &counted{conn, c, atomic.Bool{}}, nil
}

type counted struct {
	net.Conn
	by     *counting
	closed atomic.Bool
}

func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.by.open.Add(-1)
	}
	return c.Conn.Close()
}

func newCaller(t *testing.T, o upstream.Options) *upstream.Caller {
	c := upstream.New(o)
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// TestARequestArrivesAsItWasSent, under both names of the service.
func TestARequestArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	for _, current := range []bool{false, true} {
		t.Run(fmt.Sprint("current ", current), func(t *testing.T) {
			t.Parallel()
			b, addr, _ := serve(t, current)
			c := newCaller(t, upstream.Options{})
			resp, err := c.Call(within(t), biz.Endpoint{Address: addr, Current: current}, &biz.UpstreamRequest{
				Session: "s", Identity: biz.Identity{User: "10001", GID: 7}, Action: "a", Params: map[string]string{"p": "q"},
				Data: []byte{0xff}, Headers: map[string]string{"gid": "7"}, ClientSeq: 9,
			})
			if err != nil || resp.Code != 200 || resp.Message != "a" || string(resp.Data) != "\xff" || !maps.Equal(resp.Headers, map[string]string{"k": "v"}) {
				t.Fatalf("got %+v, %v", resp, err)
			}
			got := <-b.got
			if got.GetSessionId() != "s" || got.GetOpenid() != "10001" || got.GetParams()["p"] != "q" || got.GetHeaders()["gid"] != "7" || got.GetClientSeqId() != 9 {
				t.Errorf("the service got %v", got)
			}
		})
	}
}

// TestErrorsOfServices: each code has the meaning that upstream.proto gives it, none of them counts as a
// request that has not left, and no text of the service gets out.
func TestErrorsOfServices(t *testing.T) {
	t.Parallel()
	_, addr, _ := serve(t, false)
	c := newCaller(t, upstream.Options{})
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		_, err := c.Call(within(t), biz.Endpoint{Address: addr}, &biz.UpstreamRequest{Action: code.String()})
		want := biz.KindInternal
		switch code {
		case codes.Unavailable, codes.DeadlineExceeded:
			want = biz.KindUnavailable
		case codes.ResourceExhausted:
			want = biz.KindResourceLimit
		}
		e := biz.AsError(err)
		if e == nil || e.Kind != want || errors.Is(err, biz.ErrNotSent) || strings.Contains(e.Text, "secret") || strings.Contains(e.Text, addr) {
			t.Errorf("%v: kind %v, %q, not sent %v", code, e.Kind, e.Text, errors.Is(err, biz.ErrNotSent))
		}
	}
	_, err := c.Call(within(t), biz.Endpoint{Address: addr}, &biz.UpstreamRequest{Action: "large"})
	if biz.KindOf(err) != biz.KindInternal {
		t.Errorf("an answer that is too large: %v", err)
	}
	_, err = c.Call(within(t), biz.Endpoint{Address: addr, Current: true}, &biz.UpstreamRequest{Action: "x"})
	if biz.KindOf(err) != biz.KindInternal {
		t.Errorf("a service that does not know the current name: %v", err)
	}
}

// TestWhatHasNotLeft: nobody listens, so that it may be asked elsewhere; what was sent may not.
func TestWhatHasNotLeft(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := lis.Addr().String()
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	c := newCaller(t, upstream.Options{})
	_, err = c.Call(within(t), biz.Endpoint{Address: addr}, &biz.UpstreamRequest{Action: "x"})
	if biz.KindOf(err) != biz.KindUnavailable || !errors.Is(err, biz.ErrNotSent) || strings.Contains(biz.AsError(err).Text, addr) {
		t.Errorf("nobody listens: %v", err)
	}
	if err := c.Reach(within(t), biz.Endpoint{Address: addr}); err == nil {
		t.Error("it is said to be within reach")
	}

	b, addr, _ := serve(t, false)
	ctx, cancel := context.WithCancel(within(t))
	result := make(chan error, 1)
	go func() {
		_, err := c.Call(ctx, biz.Endpoint{Address: addr}, &biz.UpstreamRequest{Action: "hang"})
		result <- err
	}()
	<-b.got
	cancel()
	if err := <-result; biz.KindOf(err) != biz.KindCanceled || errors.Is(err, biz.ErrNotSent) {
		t.Errorf("canceled on its way: %v", err)
	}
	if err := c.Reach(within(t), biz.Endpoint{Address: addr}); err != nil {
		t.Error(err)
	}
}

// TestAServiceThatIsKilled with a request on its way: nobody knows whether it did what was asked.
func TestAServiceThatIsKilled(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &business{got: make(chan *upstreamv1.UpstreamRequest, 1)}
	srv := grpc.NewServer()
	desc := upstreamv1.UpstreamService_ServiceDesc
	desc.ServiceName = "gatesvr.proto.UpstreamService"
	srv.RegisterService(&desc, b)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(lis) }()
	c := newCaller(t, upstream.Options{})
	result := make(chan error, 1)
	go func() {
		_, err := c.Call(within(t), biz.Endpoint{Address: lis.Addr().String()}, &biz.UpstreamRequest{Action: "hang"})
		result <- err
	}()
	<-b.got
	srv.Stop()
	<-done
	if err := <-result; biz.KindOf(err) != biz.KindUnavailable || errors.Is(err, biz.ErrNotSent) {
		t.Errorf("got %v", err)
	}
}

// TestOneConnectionForAll that is closed when the instance goes, once the last call has ended.
func TestOneConnectionForAll(t *testing.T) {
	t.Parallel()
	b, addr, conns := serve(t, false)
	c := newCaller(t, upstream.Options{})
	e := biz.Endpoint{Address: addr}
	for range 10 {
		if _, err := c.Call(within(t), e, &biz.UpstreamRequest{Action: "x"}); err != nil {
			t.Fatal(err)
		}
		<-b.got
	}
	if conns.accepted.Load() != 1 {
		t.Errorf("%d connections", conns.accepted.Load())
	}
	ctx, cancel := context.WithCancel(within(t))
	result := make(chan error, 1)
	go func() {
		_, err := c.Call(ctx, e, &biz.UpstreamRequest{Action: "hang"})
		result <- err
	}()
	<-b.got
	c.Keep([]biz.Endpoint{e, {Address: "127.0.0.1:1"}})
	c.Keep(nil)
	if conns.open.Load() != 1 {
		t.Error("the connection was closed under a call")
	}
	cancel()
	<-result
	await(t, "the connection is closed", func() bool { return conns.open.Load() == 0 })
	c.Close()
	if _, err := c.Call(within(t), e, &biz.UpstreamRequest{Action: "x"}); !errors.Is(err, biz.ErrNotSent) {
		t.Errorf("after Close: %v", err)
	}
}

// TestAConnectionThatIsSilentIsReplaced: its other end may be gone.
func TestAConnectionThatIsSilentIsReplaced(t *testing.T) {
	t.Parallel()
	_, addr, conns := serve(t, false)
	c := newCaller(t, upstream.Options{})
	e := biz.Endpoint{Address: addr}
	if err := c.Reach(within(t), e); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := c.Call(ctx, e, &biz.UpstreamRequest{Action: "hang"})
		cancel()
		if e := biz.AsError(err); e.Reason != biz.ReasonUpstreamTimeout {
			t.Fatalf("got %v", err)
		}
	}
	if _, err := c.Call(within(t), e, &biz.UpstreamRequest{Action: "x"}); err != nil {
		t.Fatal(err)
	}
	if n := conns.accepted.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	await(t, "the silent one is closed", func() bool { return conns.open.Load() == 1 })
}
