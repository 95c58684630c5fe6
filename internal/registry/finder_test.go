package registry_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/test/registries"
)

// seeker is a finder that runs, and what it has found.
type seeker struct {
	t       *testing.T
	changed chan struct{}
	logs    logs
	cancel  context.CancelFunc
	done    chan struct{}

	mu    sync.Mutex
	names []string
	found map[string][]registry.Found
}

func (s *seeker) wanted() ([]string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names), s.changed
}

func (s *seeker) tell(name string, at []registry.Found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found[name] = at
}

func (s *seeker) look(names ...string) {
	s.mu.Lock()
	s.names = names
	s.mu.Unlock()
	s.changed <- struct{}{}
}

// at returns the addresses under a name, in order.
func (s *seeker) at(name string) (addrs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.found[name] {
		addrs = append(addrs, f.Address)
	}
	slices.Sort(addrs)
	return addrs
}

func (s *seeker) stop() {
	s.cancel()
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatal("the finder does not stop")
	}
}

func seek(t *testing.T, r registry.Registrar, names ...string) *seeker {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &seeker{t: t, changed: make(chan struct{}), cancel: cancel, done: make(chan struct{}), names: names, found: map[string][]registry.Found{}}
	f := registry.NewFinder(r, s.wanted, s.tell, slog.New(slog.NewTextHandler(&s.logs, nil)))
	go func() {
		defer close(s.done)
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("log of the finder:\n%s", &s.logs)
		}
	})
	return s
}

func opened(t *testing.T, name string, server *registries.Server) registry.Registrar {
	t.Helper()
	r, err := registry.Open(settings(name, server), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// TestAFinderFollowsServices as they come and go, under the names that it is told, each by itself.
func TestAFinderFollowsServices(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, _ kind, server *registries.Server) {
		services := opened(t, name, server)
		t.Cleanup(func() {
			if err := services.Close(); err != nil {
				t.Error(err)
			}
		})
		instance := func(service string, port int) registry.Instance {
			return registry.Instance{Service: service, Suffixed: true, Host: "127.0.0.1", Port: port, Version: "v1", Weight: 1}
		}
		register := func(i registry.Instance) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := services.Register(ctx, i); err != nil {
				t.Fatal(err)
			}
			keep(t, services, i)
		}
		register(instance("shop", 20001))
		s := seek(t, opened(t, name, server), "shop.grpc")
		eventually(t, "the first instance is found", func() bool { return slices.Equal(s.at("shop.grpc"), []string{"127.0.0.1:20001"}) })

		second := instance("game", 20002)
		s.look("shop.grpc", "game.grpc")
		register(second)
		eventually(t, "another service is found", func() bool { return slices.Equal(s.at("game.grpc"), []string{"127.0.0.1:20002"}) })
		if got := s.at("shop.grpc"); !slices.Equal(got, []string{"127.0.0.1:20001"}) {
			t.Errorf("shop is at %v", got)
		}
	})
}

// keep renews an instance until the test ends.
func keep(t *testing.T, r registry.Registrar, i registry.Instance) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(ttl / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = r.Renew(ctx, i) // when it fails, the test does
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// TestAFinderSeesInstancesGo, and has what is left.
func TestAFinderSeesInstancesGo(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, _ kind, server *registries.Server) {
		// Two services that register the same name: Nacos keeps one instance for each client.
		var rs []registry.Registrar
		for port := 20001; port <= 20002; port++ {
			r := opened(t, name, server)
			rs = append(rs, r)
			i := registry.Instance{Service: "shop", Suffixed: true, Host: "127.0.0.1", Port: port, Version: "v1", Weight: 1}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			if err := r.Register(ctx, i); err != nil {
				t.Fatal(err)
			}
			cancel()
			t.Cleanup(func() {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
			if port == 20001 {
				keep(t, r, i)
			}
		}
		s := seek(t, opened(t, name, server), "shop.grpc")
		eventually(t, "both are found", func() bool { return len(s.at("shop.grpc")) == 2 })
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := rs[1].Deregister(ctx, registry.Instance{Service: "shop", Suffixed: true, Host: "127.0.0.1", Port: 20002, Version: "v1", Weight: 1}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "one is left", func() bool { return slices.Equal(s.at("shop.grpc"), []string{"127.0.0.1:20001"}) })
	})
}

// TestAFinderOutlivesItsRegistry: what was found stands while it is away, and changes when it is back.
func TestAFinderOutlivesItsRegistry(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, _ kind, server *registries.Server) {
		n := run(t, settings(name, server), 20001)
		s := seek(t, opened(t, name, server), "im-service", "gateway-service")
		eventually(t, "the node is found", func() bool { return len(s.at("im-service")) == 1 && len(s.at("gateway-service")) == 1 })
		server.Kill()
		server.Start()
		other := run(t, settings(name, server), 20011)
		eventually(t, "another node is found, once the registry is back", func() bool { return len(s.at("im-service")) == 2 })
		n.stop()
		eventually(t, "the first one is gone", func() bool { return slices.Equal(s.at("im-service"), []string{"127.0.0.1:20011"}) })
		other.stop()
	})
}

// TestAFinderLeavesARegistryThatHangs.
func TestAFinderLeavesARegistryThatHangs(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, name string, _ kind, server *registries.Server) {
		server.Freeze()
		s := seek(t, opened(t, name, server), "shop.grpc")
		started := time.Now()
		s.stop()
		if took := time.Since(started); took > patience/2 {
			t.Errorf("it took %v", took)
		}
		server.Thaw()
	})
}

// TestAFinderWithoutARegistry waits for its end.
func TestAFinderWithoutARegistry(t *testing.T) {
	t.Parallel()
	r, err := registry.Open(settings("none", &registries.Server{}), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := seek(t, r, "shop.grpc")
	s.look()
	s.stop()
}
