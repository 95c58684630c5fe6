package service_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/service"
)

// echoes answers with the address that was asked.
type echoes struct{}

func (echoes) Call(_ context.Context, e biz.Endpoint, _ *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	return &biz.UpstreamResponse{Code: biz.UpstreamOK, Message: e.Address}, nil
}
func (echoes) Reach(context.Context, biz.Endpoint) error { return nil }
func (echoes) Keep([]biz.Endpoint)                       {}

func newServices() *biz.Services {
	rules := biz.UpstreamRules{
		MaxConcurrent: 10, Breaker: biz.BreakerRules{Failures: 3, OpenFor: time.Second}, Unreachable: time.Minute, MaxLease: time.Minute,
	}
	return biz.NewServices(echoes{}, biz.LoginOnly{}, service.NewUpstreamMetrics(), rules, slog.New(slog.DiscardHandler))
}

func TestRegisterUpstream(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		req   *gatewayv1.UpstreamRegisterRequest
		code  string // empty: success
		lease int32
	}{
		"as older services do":    {&gatewayv1.UpstreamRegisterRequest{Address: "127.0.0.1:9000", ZoneId: "001"}, "", 0},
		"by name":                 {&gatewayv1.UpstreamRegisterRequest{Address: "game:9000", ServiceName: "game", LeaseSeconds: 30}, "", 30},
		"name and zone":           {&gatewayv1.UpstreamRegisterRequest{Address: "[::1]:9000", ServiceName: "game", ZoneId: "006"}, "", 0},
		"a lease that is short":   {&gatewayv1.UpstreamRegisterRequest{Address: "game:9000", ServiceName: "game", LeaseSeconds: 1}, "", 5},
		"a lease that is long":    {&gatewayv1.UpstreamRegisterRequest{Address: "game:9000", ServiceName: "game", LeaseSeconds: 9999}, "", 60},
		"a lease below zero":      {&gatewayv1.UpstreamRegisterRequest{Address: "game:9000", ServiceName: "game", LeaseSeconds: -1}, "REGISTER_FAILED", 0},
		"no address":              {&gatewayv1.UpstreamRegisterRequest{ZoneId: "001"}, "INVALID_ADDRESS", 0},
		"no port":                 {&gatewayv1.UpstreamRegisterRequest{Address: "127.0.0.1", ZoneId: "001"}, "INVALID_ADDRESS", 0},
		"port 0":                  {&gatewayv1.UpstreamRegisterRequest{Address: "127.0.0.1:0", ZoneId: "001"}, "INVALID_ADDRESS", 0},
		"no host":                 {&gatewayv1.UpstreamRegisterRequest{Address: ":9000", ZoneId: "001"}, "INVALID_ADDRESS", 0},
		"neither zone nor name":   {&gatewayv1.UpstreamRegisterRequest{Address: "127.0.0.1:9000"}, "INVALID_ZONE_ID", 0},
		"a zone that is not one":  {&gatewayv1.UpstreamRegisterRequest{Address: "127.0.0.1:9000", ZoneId: "007"}, "REGISTER_FAILED", 0},
		"a name that is not one":  {&gatewayv1.UpstreamRegisterRequest{Address: "127.0.0.1:9000", ServiceName: "a b"}, "REGISTER_FAILED", 0},
		"a name that is too long": {&gatewayv1.UpstreamRegisterRequest{Address: "127.0.0.1:9000", ServiceName: string(make([]byte, 65))}, "REGISTER_FAILED", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newGateway().RegisterUpstream(t.Context(), test.req)
			if err != nil || got.GetSuccess() != (test.code == "") || got.GetErrorCode() != test.code || got.GetMessage() == "" || got.GetLeaseSeconds() != test.lease {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestDeregisterUpstream(t *testing.T) {
	t.Parallel()
	g := newGateway()
	for range 2 { // the second time there is nothing, which is no error
		if _, err := g.DeregisterUpstream(t.Context(), &gatewayv1.UpstreamDeregisterRequest{Address: "game:9000", ServiceName: "game"}); err != nil {
			t.Error(err)
		}
	}
}
