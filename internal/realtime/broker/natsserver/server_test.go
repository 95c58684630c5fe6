package natsserver_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/broker/natsbroker"
	"github.com/game-im/hermod/internal/realtime/broker/natsserver"
	"github.com/game-im/hermod/test/authority"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var names atomic.Int64

// fleet makes buses that have a server each: the first is alone, the others are told of it.
func fleet(o natsserver.Options) brokertest.Buses {
	return func(t *testing.T) func() cluster.Bus {
		var mu sync.Mutex
		var routes []string
		return func() cluster.Bus {
			mu.Lock()
			defer mu.Unlock()
			s := start(t, o, routes...)
			routes = append(routes, s.Routed())
			b, err := natsbroker.New(natsbroker.Options{Server: s, Token: s.Token()})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
}

func start(t *testing.T, o natsserver.Options, routes ...string) *natsserver.Server {
	t.Helper()
	o.Cluster, o.Node, o.Listen = "test", fmt.Sprint("server", names.Add(1)), "127.0.0.1:0"
	o.Routes = routes
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := natsserver.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	brokertest.RunCluster(t, fleet(natsserver.Options{}))
}

// TestEmbeddedSecured has the routes ask for a password and for certificates.
func TestEmbeddedSecured(t *testing.T) {
	t.Parallel()
	ca := authority.New(t)
	config := &tls.Config{
		Certificates: []tls.Certificate{ca.Pair(authority.Leaf{})}, RootCAs: ca.Pool(), ClientCAs: ca.Pool(),
		ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "localhost", MinVersion: tls.VersionTLS12,
	}
	brokertest.RunCluster(t, fleet(natsserver.Options{User: "hermod", Password: "secret", TLS: config}))
}

// TestStrangersHaveNoRoute: a server with another password does not become part of the cluster.
func TestStrangersHaveNoRoute(t *testing.T) {
	t.Parallel()
	var log complaints
	first := start(t, natsserver.Options{User: "hermod", Password: "secret", Log: slog.New(slog.NewTextHandler(&log, nil))})
	start(t, natsserver.Options{User: "hermod", Password: "wrong"}, first.Routed())
	log.await(t, "authentication error")
	if first.NumRoutes() != 0 { // the stranger takes it for a route until he is told off
		t.Error("a stranger has a route")
	}
	third := start(t, natsserver.Options{User: "hermod", Password: "secret"}, first.Routed())
	for deadline := time.Now().Add(time.Minute); third.NumRoutes() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a friend has no route")
		}
	}
}

// complaints is a log.
type complaints struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *complaints) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func (c *complaints) await(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c.mu.Lock()
		text := c.text.String()
		c.mu.Unlock()
		if strings.Contains(strings.ToLower(text), want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in\n%s", want, text)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := natsserver.Options{Cluster: "c", Node: "n", Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
	for name, c := range map[string]struct {
		change func(*natsserver.Options)
		want   string
	}{
		"no names":        {func(o *natsserver.Options) { o.Cluster = "" }, "a cluster's name"},
		"half a password": {func(o *natsserver.Options) { o.User = "hermod" }, "together"},
		"no port":         {func(o *natsserver.Options) { o.Listen = "localhost" }, `"localhost": it takes host:port`},
		"a bad port":      {func(o *natsserver.Options) { o.Listen = "localhost:70000" }, "it takes host:port"},
		"a bad route":     {func(o *natsserver.Options) { o.Routes = []string{"nats://x:1"} }, "it takes host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			c.change(&o)
			s, err := natsserver.Start(o)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
