package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/test/registries"
)

const (
	patience = 40 * time.Second
	// ttl is the shortest that is allowed.
	ttl = 3 * time.Second
	// soon is a bound for what consumers are to see at once; the Nacos server of the tests looks at its
	// store once a second.
	soon = 20 * time.Second
)

// eachKind runs a test against every registry. Nacos' client reads without a lock what it writes: the
// instances of a service, and its state when its connection changes. The race detector is right to say
// so, of any test.
func eachKind(t *testing.T, test func(t *testing.T, name string, k kind, s *registries.Server)) {
	t.Helper()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raceDetector && k.registry == conf.RegistryNacos {
				t.Skip("nacos-sdk-go has races of its own; make race runs this without the detector")
			}
			test(t, k.registry, k, k.start(t))
		})
	}
}

func settings(name string, s *registries.Server) *conf.Registry {
	return &conf.Registry{
		Type: name, Addrs: s.Addr, Ttl: durationpb.New(ttl), Weight: 70, Zone: "north",
		Metadata: []*conf.Registry_Entry{{Name: "rack", Value: "r12"}},
		Names:    &conf.Registry_Names{Im: "im-service", Gateway: "gateway-service"},
	}
}

// node is a keeper that runs.
type node struct {
	*registry.Keeper
	t       *testing.T
	metrics *registry.Metrics
	status  registry.Status
	logs    logs
	sick    atomic.Bool
	cancel  context.CancelFunc
	done    chan struct{}
}

type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// run keeps a node registered as if it listened on the given port, and on the next one.
func run(t *testing.T, c *conf.Registry, port int) *node {
	t.Helper()
	r, err := registry.Open(c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at, err := registry.Advertised(c, tcp(port), tcp(port+1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{t: t, metrics: registry.NewMetrics(), cancel: cancel, done: make(chan struct{})}
	n.Keeper = registry.NewKeeper(r, registry.Instances(c, at, "v1.2.3"), registry.Options{
		Type: c.GetType(), TTL: c.GetTtl().AsDuration(), Status: &n.status, Metrics: n.metrics,
		Healthy: func(context.Context) error {
			if n.sick.Load() {
				return errors.New("the store is away")
			}
			return nil
		},
		Log: slog.New(slog.NewTextHandler(&n.logs, nil)),
	})
	go func() {
		defer close(n.done)
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		n.stop()
		if t.Failed() {
			t.Logf("log of %s:\n%s", addr(port), &n.logs)
		}
	})
	return n
}

func (n *node) stop() {
	n.cancel()
	select {
	case <-n.done:
	case <-time.After(patience):
		n.t.Fatal("the keeper does not stop")
	}
}

// metric returns the value of a family, added up over its series, and how many those are.
func (n *node) metric(name string) (sum float64, series int) {
	n.t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(n.metrics.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum, series = sum+m.GetGauge().GetValue()+m.GetCounter().GetValue(), series+1
			}
		}
	}
	return sum, series
}

func (n *node) counts(name string, want float64, of int) {
	n.t.Helper()
	within(n.t, patience, fmt.Sprintf("%s counts %v in %d", name, want, of), func() bool {
		sum, series := n.metric(name)
		return sum == want && series == of
	})
}

func tcp(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
func addr(port int) string  { return tcp(port).String() }

func within(t *testing.T, bound time.Duration, what string, holds func() bool) {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > bound {
			t.Fatalf("not within %s: %s", bound, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func same(got []string, want ...string) bool {
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}

// TestRegistered: both services under both of their names, with all that consumers go by, and gone as
// soon as the node leaves.
func TestRegistered(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, k kind, s *registries.Server) {
		kratos, plain := k.kratos(t, s, ""), k.plain(t, s, "")
		own := settings(name, s)
		own.Ttl = durationpb.New(time.Minute) // so that nothing has expired when it is gone
		n := run(t, own, 4000)
		for service, at := range map[string]string{"im-service": addr(4000), "gateway-service": addr(4001)} {
			within(t, soon, "Kratos finds "+service, func() bool { return same(endpoints(t, kratos, service+".grpc"), at) })
			within(t, soon, "others find "+service, func() bool { return same(plain(service), at) })
			i := instances(t, kratos, service+".grpc")[0]
			m := i.Metadata
			if i.Version != "v1.2.3" || m["weight"] != "70" || m["zone"] != "north" || m["rack"] != "r12" || m["version"] != "v1.2.3" {
				t.Errorf("%s is registered as version %q with %v", service, i.Version, m)
			}
		}
		within(t, soon, "the status says so", func() bool { return strings.Contains(n.status.String(), "registered as im-service at "+addr(4000)) })
		n.counts("hermod_registry_registered", 4, 4)
		n.counts("hermod_registry_failures_total", 0, 1)
		n.stop()
		n.counts("hermod_registry_registered", 0, 4)
		for _, service := range []string{"im-service", "gateway-service"} {
			within(t, soon, "Kratos finds no "+service, func() bool { return same(endpoints(t, kratos, service+".grpc")) })
			within(t, soon, "others find no "+service, func() bool { return same(plain(service)) })
		}
		if got := n.status.String(); got != name+": deregistered" {
			t.Errorf("status %q", got)
		}
	})
}

// TestStaysRegistered: for longer than the ttl, and with the weight that it was given last.
func TestStaysRegistered(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, k kind, s *registries.Server) {
		kratos, plain := k.kratos(t, s, ""), k.plain(t, s, "")
		n := run(t, settings(name, s), 4000)
		within(t, soon, "found", func() bool {
			return same(plain("im-service"), addr(4000)) && same(endpoints(t, kratos, "im-service.grpc"), addr(4000))
		})
		if err := n.SetWeight(0); err == nil {
			t.Error("a weight of 0 was taken")
		}
		if err := n.SetWeight(7); err != nil {
			t.Error(err)
		}
		within(t, soon, "the new weight", func() bool {
			list := instances(t, kratos, "im-service.grpc")
			return len(list) == 1 && list[0].Metadata["weight"] == "7"
		})
		for began := time.Now(); time.Since(began) < 2*ttl; time.Sleep(50 * time.Millisecond) {
			if !same(plain("im-service"), addr(4000)) || instances(t, kratos, "im-service.grpc")[0].Metadata["weight"] != "7" {
				t.Fatalf("lost after %s", time.Since(began))
			}
		}
		if got := n.logs.String(); strings.Contains(got, "WARN") {
			t.Errorf("nothing happened, and it was logged:\n%s", got)
		}
	})
}

// TestTwoNodes: each leaves for itself.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, k kind, s *registries.Server) {
		kratos, plain := k.kratos(t, s, ""), k.plain(t, s, "")
		a, b := run(t, settings(name, s), 4000), run(t, settings(name, s), 5000)
		both := func() bool {
			return same(plain("im-service"), addr(4000), addr(5000)) && same(endpoints(t, kratos, "im-service.grpc"), addr(4000), addr(5000))
		}
		within(t, soon, "both", both)
		a.stop()
		within(t, soon, "one", func() bool {
			return same(plain("gateway-service"), addr(5001)) && same(endpoints(t, kratos, "im-service.grpc"), addr(5000))
		})
		b.sick.Store(true)
		within(t, ttl/3+soon, "one that is not ready is not listed", func() bool {
			return same(plain("im-service")) && same(endpoints(t, kratos, "im-service.grpc"))
		})
		within(t, soon, "the status says why", func() bool { return strings.Contains(b.status.String(), "the store is away") })
		b.sick.Store(false)
		within(t, ttl/3+soon, "it is back", func() bool { return same(plain("im-service"), addr(5000)) })
	})
}

// TestTwoNamespaces: nodes of one are not found in the other. Consul has none without a license, and
// says so; there names keep nodes apart.
func TestTwoNamespaces(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, k kind, s *registries.Server) {
		blue, green := settings(name, s), settings(name, s)
		blue.Namespace, green.Namespace = "blue", "green"
		services := [2]string{"im-service", "im-service"}
		if !k.namespaces {
			n := run(t, blue, 6000)
			within(t, soon, "the status says why", func() bool { return strings.Contains(n.status.String(), "Enterprise") })
			n.stop()
			blue.Namespace, green.Namespace = "", ""
			blue.Names = &conf.Registry_Names{Im: "blue-im", Gateway: "blue-gateway"}
			services[0] = "blue-im"
		}
		run(t, blue, 4000)
		run(t, green, 5000)
		for i, namespace := range []string{blue.GetNamespace(), green.GetNamespace()} {
			at := addr(4000 + 1000*i)
			kratos, plain := k.kratos(t, s, namespace), k.plain(t, s, namespace)
			within(t, soon, namespace+": its own", func() bool {
				return same(plain(services[i]), at) && same(endpoints(t, kratos, services[i]+".grpc"), at)
			})
		}
	})
}

// TestRegistryDownAtStart: the node registers when the registry is there, and has said once that it
// was not.
func TestRegistryDownAtStart(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, k kind, s *registries.Server) {
		s.Stop()
		n := run(t, settings(name, s), 4000)
		within(t, patience, "the status says so", func() bool { return strings.Contains(n.status.String(), ": fails") })
		time.Sleep(2 * time.Second) // several attempts, of which nothing is to be heard
		s.Start()
		plain := k.plain(t, s, "")
		within(t, patience, "found", func() bool { return same(plain("im-service"), addr(4000)) })
		within(t, patience, "the status says so", func() bool { return strings.Contains(n.status.String(), "registered as") })
		got := n.logs.String()
		if strings.Count(got, "the registry fails") != 1 || strings.Count(got, "the registry works again") != 1 {
			t.Errorf("logged\n%s", got)
		}
	})
}

// TestRegistryComesBackEmpty: the node is there again, without being told.
func TestRegistryComesBackEmpty(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, k kind, s *registries.Server) {
		n := run(t, settings(name, s), 4000)
		plain := k.plain(t, s, "")
		within(t, soon, "found", func() bool { return same(plain("im-service"), addr(4000)) })
		s.RestartEmpty()
		kratos, plain := k.kratos(t, s, ""), k.plain(t, s, "") // of consumers that ask for the first time
		for _, service := range []string{"im-service", "gateway-service"} {
			within(t, patience, "others find "+service, func() bool { return len(plain(service)) == 1 })
			within(t, patience, "Kratos finds "+service, func() bool { return len(endpoints(t, kratos, service+".grpc")) == 1 })
		}
		within(t, patience, "the status says so", func() bool { return strings.Contains(n.status.String(), "registered as") })
		if got := strings.Count(n.logs.String(), "the registry fails"); got > 1 {
			t.Errorf("said %d times that the registry fails:\n%s", got, &n.logs)
		}
	})
}

// TestRegistryHangs: it holds the node up neither while it serves nor when it stops.
func TestRegistryHangs(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, k kind, s *registries.Server) {
		n := run(t, settings(name, s), 4000)
		plain := k.plain(t, s, "")
		within(t, soon, "found", func() bool { return same(plain("im-service"), addr(4000)) })
		s.Freeze()
		within(t, patience, "the status says so", func() bool { return strings.Contains(n.status.String(), ": fails") })
		n.counts("hermod_registry_registered", 0, 4)
		if sum, _ := n.metric("hermod_registry_failures_total"); sum == 0 {
			t.Error("no failure was counted")
		}
		began := time.Now()
		n.stop()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("leaving a registry that hangs took %s", took)
		}
		s.Thaw()
		within(t, 30*time.Second, "gone", func() bool { return same(plain("im-service")) })
	})
}
