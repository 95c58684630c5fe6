package hermod

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"github.com/go-kratos/kratos/v2/middleware"
	"github.com/go-kratos/kratos/v2/transport"
	khttp "github.com/go-kratos/kratos/v2/transport/http"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/kratosplugin"
)

// seen is what middlewares have seen, in order.
type seen struct {
	mu    sync.Mutex
	calls []string
}

func (s *seen) add(call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

func (s *seen) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// warden is a plugin that stands around calls. A request says what it is to do.
type warden struct {
	name string
	seen *seen
}

func (w *warden) Name() string { return w.name }

func (w *warden) Middleware() middleware.Middleware {
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (any, error) {
			tr, ok := transport.FromServerContext(ctx)
			if !ok {
				return nil, errors.New("nothing is known of the call")
			}
			who, known := kratosplugin.Caller(ctx)
			if !known {
				who.UserID = "anybody"
			}
			path := ""
			if h, ok := tr.(khttp.Transporter); ok {
				path = " " + h.PathTemplate()
			}
			w.seen.add(w.name + " " + string(tr.Kind()) + " " + tr.Operation() + path + " " + who.UserID)
			tr.ReplyHeader().Set("x-"+w.name, "was here")
			switch tr.RequestHeader().Get("x-want") {
			case "refuse":
				return nil, kerrors.New(429, "TOO_EAGER", "not so fast")
			case "fail":
				return nil, errors.New("a fault of its own")
			case "panic":
				panic("out of order")
			}
			return next(ctx, req)
		}
	}
}

// wardens runs a node with two of them, which lets services in by a token.
func wardens(t *testing.T) (*process, *seen) {
	t.Helper()
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	s := &seen{}
	p := startWith(t, []plugin.Plugin{&warden{"inner", s}, &warden{"outer", s}, &warden{"unused", s}}, configured(t,
		"auth: {mode: trusted, service_token: sixteen-characters}", "plugins: [{name: outer}, {name: inner}]")...)
	return p, s
}

// TestMiddlewareStandsAroundUnaryCalls: of clients and of services, in the order of the list, and around nothing
// else.
func TestMiddlewareStandsAroundUnaryCalls(t *testing.T) {
	p, s := wardens(t)
	if _, err := healthpb.NewHealthClient(dial(t, p.addr)).Check(as(t, ""), &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	stream := p.open(t, "bob", "room-id", "r")
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	s.take() // a greeting may have asked
	for name, test := range map[string]struct {
		call func() error
		want string
	}{
		"a client": {func() error {
			_, err := p.im.JoinRoom(as(t, "alice"), &imv1.JoinRoomRequest{RoomId: "r"})
			return err
		}, "grpc /im.v1.IMService/JoinRoom alice"},
		"a service, about webhooks": {func() error {
			_, err := p.hooks.ListWebhooks(as(t, "", "authorization", "Bearer sixteen-characters"), &gatewayv1.ListWebhooksRequest{})
			return err
		}, "grpc /hermod.gateway.v1.WebhookService/ListWebhooks "},
		"anybody": {func() error {
			_, err := p.im.HealthCheck(as(t, ""), &imv1.HealthCheckRequest{})
			return err
		}, "grpc /im.v1.IMService/HealthCheck anybody"},
	} {
		if err := test.call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, want := s.take(), []string{"outer " + test.want, "inner " + test.want}; !slices.Equal(got, want) {
			t.Errorf("%s: saw %q", name, got)
		}
	}
	code, header, body := p.rest(t, `{"target_type":"openid","target_id":"nobody","title":"t"}`, "")
	if code != http.StatusOK || header.Get("X-Outer") == "" || header.Get("X-Inner") == "" {
		t.Errorf("REST: %d %v %s", code, header, body)
	}
	rest := "http /hermod.gateway.v1.GatewayService/PushToClient /v1/push "
	if got, want := s.take(), []string{"outer " + rest, "inner " + rest}; !slices.Equal(got, want) {
		t.Errorf("REST: saw %q, want %q", got, want)
	}
}

// TestMiddlewareIsWithinTheGuards: who may not call is not seen, and what a middleware refuses, fails at or panics
// with is an answer.
func TestMiddlewareIsWithinTheGuards(t *testing.T) {
	p, s := wardens(t)
	push := &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "nobody", Title: "t"}
	s.take()
	if _, err := p.gateway.PushToClient(as(t, ""), push); status.Code(err) != codes.Unauthenticated {
		t.Errorf("got %v", err)
	}
	if got := s.take(); len(got) > 0 {
		t.Errorf("saw %q", got)
	}
	for want, answer := range map[string]struct {
		code codes.Code
		rest int
		says string
	}{
		"refuse": {codes.ResourceExhausted, http.StatusTooManyRequests, "not so fast"},
		"fail":   {codes.Unknown, http.StatusInternalServerError, "a fault of its own"},
		"panic":  {codes.Internal, http.StatusInternalServerError, ""},
	} {
		_, err := p.gateway.PushToClient(as(t, "", "authorization", "Bearer sixteen-characters", "x-want", want), push)
		if status.Code(err) != answer.code || !strings.Contains(err.Error(), answer.says) {
			t.Errorf("%s: got %v", want, err)
		}
		code, _, body := p.rest(t, `{"target_type":"openid","target_id":"nobody","title":"t"}`, want)
		if code != answer.rest || !strings.Contains(body, answer.says) {
			t.Errorf("%s: REST: %d %s", want, code, body)
		}
	}
}

// rest pushes by REST, and has middlewares do as they are told.
func (p *process) rest(t *testing.T, body, want string) (code int, header http.Header, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(as(t, ""), http.MethodPost, p.ops+"/v1/push", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer sixteen-characters"}, "X-Want": {want}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}
