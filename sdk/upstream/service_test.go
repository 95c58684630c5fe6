package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	kgrpc "github.com/go-kratos/kratos/v2/transport/grpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
	"github.com/game-im/hermod/sdk/upstream"
)

// names are those under which a service is called.
var names = []string{"hermod.upstream.v1.UpstreamService", "gatesvr.proto.UpstreamService"}

// page is a log that is written to from anywhere.
type page struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *page) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(line)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// onPlain and onKratos serve a mux, and return a connection to it.
func onPlain(t *testing.T, m *upstream.Mux) *grpc.ClientConn {
	t.Helper()
	lis := listen(t)
	srv := grpc.NewServer()
	m.Register(srv)
	go func() {
		if err := srv.Serve(lis); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(srv.Stop)
	return dial(t, lis.Addr().String())
}

func onKratos(t *testing.T, m *upstream.Mux) *grpc.ClientConn {
	t.Helper()
	lis := listen(t)
	srv := kgrpc.NewServer(kgrpc.Listener(lis), kgrpc.Address(lis.Addr().String()), kgrpc.Timeout(patience))
	m.Register(srv)
	ended := make(chan error, 1)
	go func() { ended <- srv.Start(context.Background()) }()
	t.Cleanup(func() {
		if err := errors.Join(srv.Stop(context.Background()), <-ended); err != nil {
			t.Error(err)
		}
	})
	conn := dial(t, lis.Addr().String())
	if resp, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil || resp.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("grpc.health is the server's: %v, %v", resp, err)
	}
	return conn
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return lis
}

func dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func process(t *testing.T, conn *grpc.ClientConn, name string, req *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
	t.Helper()
	resp := &upstreamv1.UpstreamResponse{}
	err := conn.Invoke(t.Context(), "/"+name+"/ProcessRequest", req, resp)
	return resp, err
}

// everywhere runs a test over both names, on Kratos' server and on a plain one.
func everywhere(t *testing.T, m func() *upstream.Mux, test func(t *testing.T, conn *grpc.ClientConn, name string)) {
	t.Helper()
	for kind, on := range map[string]func(*testing.T, *upstream.Mux) *grpc.ClientConn{"kratos": onKratos, "plain": onPlain} {
		for _, name := range names {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, on(t, m()), name)
			})
		}
	}
}

// TestRequestsAndAnswers: what the gateway says reaches the handler, and what that says the gateway.
func TestRequestsAndAnswers(t *testing.T) {
	t.Parallel()
	everywhere(t, func() *upstream.Mux {
		m := quiet()
		m.Handle("mirror", func(_ context.Context, r *upstream.Request) (*upstream.Response, error) {
			gid, has := r.GID()
			return &upstream.Response{
				Code: 201, Message: fmt.Sprintln(r.Session, r.OpenID, r.Action, r.Params, gid, has, r.Zone(), r.ClientSeq, r.Caller()),
				Data: r.Data, Headers: r.Headers,
			}, nil
		})
		m.Handle("nothing", func(context.Context, *upstream.Request) (*upstream.Response, error) { return nil, nil })
		m.Handle("hello", func(context.Context, *upstream.Request) (*upstream.Response, error) {
			return upstream.LoggedIn("welcome", 7, "001"), nil
		})
		return m
	}, func(t *testing.T, conn *grpc.ClientConn, name string) {
		headers := map[string]string{"gid": "-42", "zone": "003", "k": "v"}
		data := []byte{0, 0xff, 1}
		resp, err := process(t, conn, name, &upstreamv1.UpstreamRequest{
			SessionId: "S", Openid: "O", Action: "Mirror", Params: map[string]string{"p": "q"}, Data: data, Headers: headers, ClientSeqId: 9,
		})
		if want := "S O Mirror map[p:q] -42 true 003 9 session S\n"; err != nil || resp.GetMessage() != want {
			t.Errorf("%q, %v; want %q", resp.GetMessage(), err, want)
		}
		if resp.GetCode() != 201 || !bytes.Equal(resp.GetData(), data) || !maps.Equal(resp.GetHeaders(), headers) || resp.GetClientSeqId() != 9 {
			t.Errorf("%v", resp)
		}
		if resp, err := process(t, conn, name, &upstreamv1.UpstreamRequest{Action: "mirror", Headers: map[string]string{"gid": "seven"}}); err != nil || resp.GetMessage() != "  mirror map[] 0 false  0 session \n" {
			t.Errorf("without anything: %q, %v", resp.GetMessage(), err)
		}
		if resp, err := process(t, conn, name, &upstreamv1.UpstreamRequest{Action: "nothing"}); err != nil || resp.GetCode() != 200 {
			t.Errorf("no answer: %v, %v", resp, err)
		}
		if resp, err := process(t, conn, name, &upstreamv1.UpstreamRequest{Action: "hello"}); err != nil || resp.GetCode() != 200 || !maps.Equal(resp.GetHeaders(), map[string]string{"gid": "7", "zone": "001"}) {
			t.Errorf("a login: %v, %v", resp, err)
		}
		if resp, err := process(t, conn, name, &upstreamv1.UpstreamRequest{Action: "dance"}); err != nil || resp.GetCode() != 404 || resp.GetMessage() != `there is no action "dance"` {
			t.Errorf("an unknown action: %v, %v", resp, err)
		}
	})
}

// failing has an action for each error of failures.
func failing(log *slog.Logger) *upstream.Mux {
	m := &upstream.Mux{Log: log}
	for action, f := range failures {
		m.Handle(action, func(context.Context, *upstream.Request) (*upstream.Response, error) { return nil, f.err })
	}
	m.Handle("panic", func(context.Context, *upstream.Request) (*upstream.Response, error) { panic("a secret") })
	return m
}

// failures are errors of handlers with what a gateway gets of them: an answer, or a gRPC code with text.
var failures = map[string]struct {
	err    error
	answer int32
	code   codes.Code
	text   string
	logged bool
}{
	"error":            {err: upstream.Errorf(409, "%s is taken", "it"), answer: 409, text: "it is taken"},
	"wrapped":          {err: fmt.Errorf("a secret: %w", upstream.Errorf(700, "so")), answer: 700, text: "so"},
	"uncoded":          {err: upstream.Errorf(0, "what"), answer: 500, text: "what"},
	"not-found":        {err: status.Error(codes.NotFound, "no mail"), answer: 404, text: "no mail"},
	"wrong":            {err: status.Error(codes.InvalidArgument, "no number"), answer: 400, text: "no number"},
	"kratos-conflict":  {err: kerrors.Conflict("TAKEN", "taken"), answer: 409, text: "taken"},
	"kratos-422":       {err: kerrors.New(422, "ODD", "odd"), answer: 422, text: "odd"},
	"kratos-busy":      {err: kerrors.New(429, "BUSY", "busy"), code: codes.ResourceExhausted, text: "busy"},
	"kratos-down":      {err: kerrors.ServiceUnavailable("DOWN", "down"), code: codes.Unavailable, text: "down"},
	"unavailable":      {err: status.Error(codes.Unavailable, "moving"), code: codes.Unavailable, text: "moving"},
	"exhausted":        {err: status.Error(codes.ResourceExhausted, "full"), code: codes.ResourceExhausted, text: "full"},
	"internal":         {err: status.Error(codes.Internal, "broken"), code: codes.Internal, text: "broken"},
	"plain":            {err: errors.New("a secret"), code: codes.Internal, text: "internal error", logged: true},
	"late":             {err: fmt.Errorf("a secret: %w", context.DeadlineExceeded), code: codes.DeadlineExceeded, text: "cannot answer now", logged: true},
	"given-up":         {err: context.Canceled, code: codes.Canceled, text: "given up"},
	"others-not-found": {err: fmt.Errorf("a secret: %w", status.Error(codes.NotFound, "a secret")), code: codes.Internal, text: "internal error", logged: true},
	"others-down":      {err: fmt.Errorf("a secret: %w", status.Error(codes.Unavailable, "a secret")), code: codes.Unavailable, text: "cannot answer now", logged: true},
	"push":             {err: &upstream.PushError{Code: "TARGET_OFFLINE", Message: "a secret"}, code: codes.Internal, text: "internal error", logged: true},
}

// TestErrorsOfHandlers: what is meant for clients is an answer, what is not stays here, and the gateway
// is told whether to try again.
func TestErrorsOfHandlers(t *testing.T) {
	t.Parallel()
	var log page
	everywhere(t, func() *upstream.Mux { return failing(slog.New(slog.NewTextHandler(&log, nil))) }, func(t *testing.T, conn *grpc.ClientConn, name string) {
		for action, f := range failures {
			resp, err := process(t, conn, name, &upstreamv1.UpstreamRequest{Action: action, SessionId: name + action})
			said := resp.GetMessage()
			if err != nil {
				said = status.Convert(err).Message()
			}
			if status.Code(err) != f.code || resp.GetCode() != f.answer || !strings.Contains(said, f.text) || strings.Contains(said, "secret") {
				t.Errorf("%s: %v, %v", action, resp, err)
			}
			if logged := strings.Contains(log.String(), name+action); logged != f.logged {
				t.Errorf("%s: logged is %v", action, logged)
			}
		}
		_, err := process(t, conn, name, &upstreamv1.UpstreamRequest{Action: "panic"})
		if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") || !strings.Contains(log.String(), "service_test.go") {
			t.Errorf("a panic: %v\n%s", err, &log)
		}
		if resp, err := process(t, conn, name, &upstreamv1.UpstreamRequest{Action: "error"}); err != nil || resp.GetCode() != 409 {
			t.Errorf("after a panic: %v, %v", resp, err)
		}
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	begun, release := make(chan bool), make(chan bool)
	var trouble error
	m := quiet()
	m.Health = func(context.Context) error { return trouble }
	m.Handle("wait", func(context.Context, *upstream.Request) (*upstream.Response, error) {
		begun <- true
		<-release
		return nil, nil
	})
	started := time.Now()
	conn := onPlain(t, m)
	ask := func(name string) *upstreamv1.StatusResponse {
		resp := &upstreamv1.StatusResponse{}
		if err := conn.Invoke(t.Context(), "/"+name+"/GetStatus", &upstreamv1.StatusRequest{}, resp); err != nil {
			t.Fatal(err)
		}
		if most := int64(time.Since(started).Seconds()); resp.GetUptime() < 0 || resp.GetUptime() > most {
			t.Errorf("up for %d s of %d", resp.GetUptime(), most)
		}
		return resp
	}
	for _, name := range names {
		trouble = nil
		if resp := ask(name); resp.GetStatus() != "healthy" || resp.GetActiveConnections() != 0 {
			t.Errorf("%v", resp)
		}
		done := make(chan error)
		go func() {
			_, err := process(t, conn, name, &upstreamv1.UpstreamRequest{Action: "wait"})
			done <- err
		}()
		<-begun
		trouble = errors.New("no database")
		if resp := ask(name); resp.GetStatus() != "no database" || resp.GetActiveConnections() != 1 {
			t.Errorf("%v", resp)
		}
		release <- true
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestHandlersAreGivenUp: a caller who does not wait any more ends the context of the handler.
func TestHandlersAreGivenUp(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan bool), make(chan bool)
	m := quiet()
	m.Handle("slow", func(ctx context.Context, _ *upstream.Request) (*upstream.Response, error) {
		begun <- true
		<-ctx.Done()
		ended <- true
		return nil, ctx.Err()
	})
	conn := onKratos(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() {
		done <- conn.Invoke(ctx, "/"+names[1]+"/ProcessRequest", &upstreamv1.UpstreamRequest{Action: "slow"}, &upstreamv1.UpstreamResponse{})
	}()
	<-begun
	cancel()
	<-ended
	if err := <-done; status.Code(err) != codes.Canceled {
		t.Error(err)
	}
}
