package server_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
)

// TestReadiness looks at it from everywhere: HTTP, grpc.health.v1 and im.v1.
func TestReadiness(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, test := range []struct {
		serving bool
		store   error
		ready   bool
		said    string
	}{
		{false, nil, false, "starting or stopping"},
		{true, nil, true, "ready"},
		{true, errors.New("disk full"), false, "store: disk full"},
		{true, nil, true, "ready"},
		{false, nil, false, "starting or stopping"},
	} {
		b.ready.SetServing(test.serving)
		b.store.set(test.store)
		code, body := b.get(t, "/readyz")
		if (code == http.StatusOK) != test.ready || !test.ready && code != http.StatusServiceUnavailable || !strings.Contains(body, test.said) {
			t.Errorf("/readyz: %d %q, want %q", code, body, test.said)
		}
		if code, body := b.get(t, "/healthz"); code != http.StatusOK || body != "ok\n" {
			t.Errorf("/healthz: %d %q", code, body)
		}
		im, err := imv1.NewIMServiceClient(b.im).HealthCheck(as(t, ""), &imv1.HealthCheckRequest{})
		if err != nil || (im.GetStatus() == imv1.HealthStatus_HEALTH_STATUS_SERVING) != test.ready {
			t.Errorf("HealthCheck: %v, %v; want ready %v", im, err, test.ready)
		}
		for _, service := range []string{"", "im.v1.IMService", "hermod.gateway.v1.GatewayService", oldName} {
			for _, client := range []healthpb.HealthClient{healthpb.NewHealthClient(b.im), healthpb.NewHealthClient(b.gateway)} {
				got, err := client.Check(as(t, ""), &healthpb.HealthCheckRequest{Service: service})
				// A check that fails does not take the node out: who watches health would lose all nodes at once.
				if err != nil || (got.GetStatus() == healthpb.HealthCheckResponse_SERVING) != test.serving {
					t.Errorf("grpc.health of %q: %v, %v; want serving %v", service, got, err, test.serving)
				}
			}
		}
	}
}

func TestHealthIsWatched(t *testing.T) {
	t.Parallel()
	b := start(t)
	watch, err := healthpb.NewHealthClient(b.im).Watch(as(t, ""), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_NOT_SERVING, healthpb.HealthCheckResponse_SERVING} {
		got, err := watch.Recv()
		if err != nil || got.GetStatus() != want {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
		b.ready.SetServing(true)
	}
}

func TestPprofWhenConfigured(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{"true": http.StatusOK, "false": http.StatusNotFound} {
		b := start(t, conf.Override{Path: "server.ops.pprof", Value: value})
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/cmdline", "/debug/pprof/symbol"} {
			if code, _ := b.get(t, path); code != want {
				t.Errorf("pprof %s: %s answers %d, want %d", value, path, code, want)
			}
		}
	}
}

func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	b := start(t)
	if code, body := b.get(t, "/metrics"); code != http.StatusOK || !strings.Contains(body, `hermod_connections{listener="ops"} 1`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := b.get(t, "/elsewhere"); code != http.StatusNotFound {
		t.Errorf("an unknown page answers %d", code)
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	b := start(t)
	count := func() float64 { return b.metric(t, "hermod_connections", "im") }
	if n := count(); n != 0 {
		t.Errorf("%v before the first", n)
	}
	var conns []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", b.imAddr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	await(t, "three connections", func() bool { return count() == 3 })
	conns[0].Close()
	await(t, "two connections", func() bool { return count() == 2 })
	conns[1].Close()
	conns[2].Close()
	await(t, "no connection", func() bool { return count() == 0 })
}
