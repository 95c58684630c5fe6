package grpcresolver_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/discovery/grpcresolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
)

func TestPolicies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		policy string
		wanted func(map[string]int) bool // of 40 calls
	}{
		{grpcresolver.RoundRobin, func(n map[string]int) bool { return maps.Equal(n, map[string]int{"a": 20, "b": 20}) }},
		{grpcresolver.WeightedRoundRobin, func(n map[string]int) bool { return maps.Equal(n, map[string]int{"a": 30, "b": 10}) }},
		{grpcresolver.Random, func(n map[string]int) bool { return n["a"] >= 5 && n["b"] >= 5 }},
		{grpcresolver.ConsistentHash, func(n map[string]int) bool { return n["a"] == 40 || n["b"] == 40 }},
		{"test_first", func(n map[string]int) bool { return n["a"] == 40 }},
	}
	for _, tt := range tests {
		t.Run(tt.policy, func(t *testing.T) {
			t.Parallel()
			d := registry(t, start(t, "a", "3"), start(t, "b", "1"))
			dial(t, d, tt.policy).until(t, "the shares of "+tt.policy, 40, tt.wanted)
		})
	}
}

// first is somebody's own balancer: it chooses the first instance, and gives copies.
type first struct{}

func (first) Update([]*discovery.ServiceInfo) {}
func (first) Select(services []*discovery.ServiceInfo) (*discovery.ServiceInfo, error) {
	return services[0].Clone(), nil
}

// nobody chooses an instance that does not exist.
type nobody struct{ first }

func (nobody) Select([]*discovery.ServiceInfo) (*discovery.ServiceInfo, error) {
	return &discovery.ServiceInfo{ID: "nobody"}, nil
}

func init() {
	grpcresolver.Register("test_first", func() discovery.LoadBalancer { return first{} })
	grpcresolver.Register("test_nobody", func() discovery.LoadBalancer { return nobody{} })
}

func TestBalancerThatChoosesNobody(t *testing.T) {
	t.Parallel()
	_, err := dial(t, registry(t, start(t, "a", "1")), "test_nobody").call(t.Context())
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "chose nobody") {
		t.Errorf("error %v, want Unavailable that says who was chosen", err)
	}
}

// The first call already is where it belongs, although some node is connected first.
func TestKeyedCalls(t *testing.T) {
	t.Parallel()
	d := registry(t, start(t, "a", "1"), start(t, "b", "1"), start(t, "c", "1"))
	services, err := d.Discover(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		c := dial(t, d, grpcresolver.ConsistentHash)
		key := fmt.Sprint("user-", i)
		want, err := discovery.NewConsistentHashBalancer().SelectByKey(services, key)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if got, err := c.call(grpcresolver.WithKey(t.Context(), key)); err != nil || got != want.ID {
				t.Fatalf("%s was answered by %q (%v), want %s", key, got, err, want.ID)
			}
		}
	}
}

// Keys of a node that cannot be reached go to the others.
func TestKeyedCallsWithoutOneNode(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "1"), start(t, "b", "1000")
	b.server.Stop()
	c := dial(t, registry(t, a, b), grpcresolver.ConsistentHash)
	for i := range 20 {
		if got, err := c.call(grpcresolver.WithKey(t.Context(), fmt.Sprint("user-", i))); err != nil || got != "a" {
			t.Fatalf("answered by %q (%v), want a", got, err)
		}
	}
}

// Nodes come and go while calls run, and none fails.
func TestDrainedNodesFailNoCall(t *testing.T) {
	t.Parallel()
	a, b, c := start(t, "a", "1"), start(t, "b", "1"), start(t, "c", "1")
	for _, n := range []*node{a, b, c} {
		n.work = 3e6 // 3 ms, so that calls run whenever something happens
	}
	d := registry(t, a)
	conn := dial(t, d, grpcresolver.RoundRobin)
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for ctx.Err() == nil {
				if _, err := conn.call(t.Context()); err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
			}
		})
	}
	without := func(id string) func(map[string]int) bool {
		return func(n map[string]int) bool { return n[id] == 0 }
	}
	leave := func(n *node) {
		deregister(t, d, n)
		conn.until(t, "no answer of "+n.info.ID, 10, without(n.info.ID))
		n.server.GracefulStop()
	}
	register(t, d, b)
	conn.until(t, "answers of a and b", 20, func(n map[string]int) bool { return n["a"] > 0 && n["b"] > 0 })
	leave(a)
	register(t, d, c)
	conn.until(t, "answers of c", 20, func(n map[string]int) bool { return n["c"] > 0 })
	leave(b)
	stop()
	callers.Wait()
}

// A node that stops by itself, still registered, is passed over.
func TestLostNodeIsPassedOver(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "1"), start(t, "b", "1")
	c := dial(t, registry(t, a, b), grpcresolver.RoundRobin)
	c.until(t, "answers of both", 10, func(n map[string]int) bool { return len(n) == 2 })
	a.server.GracefulStop()
	c.until(t, "only answers of b", 10, func(n map[string]int) bool { return n["b"] == 10 })
}

// An instance whose calls fail with Unavailable is passed over although it is connected.
func TestUnavailableIsAFailure(t *testing.T) {
	t.Parallel()
	var refusing atomic.Bool
	refuse := func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		if refusing.Load() {
			return nil, status.Error(codes.Unavailable, "overloaded")
		}
		return handle(ctx, request)
	}
	a, b := start(t, "a", "1", grpc.UnaryInterceptor(refuse)), start(t, "b", "1")
	c := dial(t, registry(t, a, b), grpcresolver.RoundRobin)
	c.until(t, "answers of both", 10, func(n map[string]int) bool { return len(n) == 2 })
	refusing.Store(true)
	failures := 0
	for range 10 {
		if _, err := c.call(t.Context()); err != nil {
			failures++
		}
	}
	if failures != 1 {
		t.Errorf("%d calls failed, want the first alone", failures)
	}
}

// A new weight takes effect without a new connection.
func TestWeightChanges(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "1"), start(t, "b", "1")
	d := registry(t, a, b)
	c := dial(t, d, grpcresolver.WeightedRoundRobin)
	c.until(t, "equal shares", 40, func(n map[string]int) bool { return n["a"] == 20 })
	a.info.Metadata[discovery.MetadataWeight] = "3"
	register(t, d, a)
	c.until(t, "the share of the new weight", 40, func(n map[string]int) bool { return n["a"] == 30 })
	if n := a.connections.Load(); n != 1 {
		t.Errorf("%d connections to a, want one", n)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	d := registry(t)
	c := dial(t, d, grpcresolver.RoundRobin)
	_, err := c.call(t.Context())
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "there is no instance of im-service") {
		t.Errorf("error %v, want Unavailable that names the service", err)
	}
	waited := make(chan error, 1)
	go func() {
		_, err := c.call(t.Context(), grpc.WaitForReady(true))
		waited <- err
	}()
	a := start(t, "a", "1")
	register(t, d, a)
	if err := <-waited; err != nil {
		t.Errorf("a call that waits for an instance: %v", err)
	}
	deregister(t, d, a)
	a.server.Stop()
	for deadline := time.Now().Add(patience); ; {
		_, err := c.call(t.Context())
		if err != nil && strings.Contains(err.Error(), "there is no instance") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the last instance went, a call ends with %v", err)
		}
	}
	unhealthy := start(t, "a", "1")
	unhealthy.info.Health = discovery.HealthUnhealthy
	if _, err := dial(t, registry(t, unhealthy), grpcresolver.RoundRobin).call(t.Context()); status.Code(err) != codes.Unavailable ||
		!strings.Contains(err.Error(), discovery.ErrNoService.Error()) {
		t.Errorf("only an unhealthy one: %v, want Unavailable with ErrNoService", err)
	}
}

// told is a discovery whose watch has what a test sends.
type told struct {
	discovery.ServiceDiscovery
	lists chan []*discovery.ServiceInfo
}

func (d *told) Watch(context.Context, string) (<-chan []*discovery.ServiceInfo, error) {
	return d.lists, nil
}

// TestEmptyRegistryCutsNothing: a registry that has lost everything is no reason to leave who answers.
func TestEmptyRegistryCutsNothing(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "1"), start(t, "b", "1")
	d := &told{registry(t), make(chan []*discovery.ServiceInfo)}
	c := dial(t, d, grpcresolver.RoundRobin)
	c.conn.Connect()
	d.lists <- []*discovery.ServiceInfo{a.info}
	c.count(t, 1)
	for range 2 { // once the second is taken, the first has had its effect
		d.lists <- nil
	}
	if n := c.count(t, 10); n["a"] != 10 {
		t.Errorf("without any instance listed: answers of %v", n)
	}
	d.lists <- []*discovery.ServiceInfo{b.info}
	c.until(t, "answers of b alone", 10, func(n map[string]int) bool { return n["b"] == 10 })
}

// The policies work with whatever resolver there is.
func TestOtherResolver(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "1"), start(t, "b", "1")
	other := manual.NewBuilderWithScheme("manual")
	other.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: a.info.Target()}, {Addr: b.info.Target()}}})
	c := dialTo(t, "manual:///"+service, grpc.WithResolvers(other),
		grpc.WithDefaultServiceConfig(grpcresolver.ServiceConfig(grpcresolver.RoundRobin)))
	c.until(t, "equal shares", 40, func(n map[string]int) bool { return n["a"] == 20 })
}

func TestConnectionsDoNotShareTurns(t *testing.T) {
	t.Parallel()
	d := registry(t, start(t, "a", "1"), start(t, "b", "1"))
	one, two := dial(t, d, grpcresolver.RoundRobin), dial(t, d, grpcresolver.RoundRobin)
	for _, c := range []*caller{one, two} {
		c.until(t, "answers of both", 10, func(n map[string]int) bool { return len(n) == 2 })
	}
	last, err := one.call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	two.count(t, 1)
	if next, err := one.call(t.Context()); err != nil || next == last {
		t.Errorf("%q (%v) follows %q: the other connection has taken a turn", next, err, last)
	}
}

func TestBadTargets(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"hermod:///", "hermod://consul/im-service"} {
		c := dialTo(t, target, grpcresolver.DialOptions(registry(t), grpcresolver.RoundRobin)...)
		if _, err := c.call(t.Context()); err == nil || !strings.Contains(err.Error(), "hermod:///name-of-the-service") {
			t.Errorf("%s: error %v, want one that says what a target is", target, err)
		}
	}
}

func TestClosedDiscovery(t *testing.T) {
	t.Parallel()
	a := start(t, "a", "1")
	d := registry(t, a)
	c := dial(t, d, grpcresolver.RoundRobin)
	c.count(t, 1)
	d.Close()
	c.count(t, 10) // what is known stays in use
	_, err := dial(t, d, grpcresolver.RoundRobin).call(t.Context())
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), discovery.ErrClosed.Error()) {
		t.Errorf("error %v, want Unavailable with ErrClosed", err)
	}
}

// A fallible discovery's registry is away now and then.
type fallible struct {
	discovery.ServiceDiscovery
	away atomic.Bool
}

func (f *fallible) Watch(ctx context.Context, name string) (<-chan []*discovery.ServiceInfo, error) {
	if f.away.Load() {
		return nil, errAway
	}
	return f.ServiceDiscovery.Watch(ctx, name)
}

func TestRegistryIsAwayAtFirst(t *testing.T) {
	t.Parallel()
	d := &fallible{ServiceDiscovery: registry(t, start(t, "a", "1"))}
	d.away.Store(true)
	c := dial(t, d, grpcresolver.RoundRobin)
	_, err := c.call(t.Context())
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), errAway.Error()) {
		t.Errorf("error %v, want Unavailable with the reason", err)
	}
	d.away.Store(false)
	if _, err := c.call(t.Context(), grpc.WaitForReady(true)); err != nil {
		t.Errorf("when the registry is back: %v", err)
	}
}
