package grpcresolver_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/discovery/grpcresolver"
	"google.golang.org/grpc/resolver"
)

// recorded is the connection of a resolver: it writes down what it is told.
type recorded struct {
	resolver.ClientConn // not called
	mu                  sync.Mutex
	states              []resolver.State
	errors              []error
}

func (r *recorded) ReportError(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, err)
}

func (r *recorded) UpdateState(s resolver.State) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = append(r.states, s)
	return nil
}

func (r *recorded) told() ([]resolver.State, []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states, r.errors
}

// scripted is a discovery whose watches the test holds in its hands.
type scripted struct {
	discovery.ServiceDiscovery // not called
	mu                         sync.Mutex
	failure                    error
	watches                    []chan []*discovery.ServiceInfo
	discovered                 int
}

func (s *scripted) Watch(context.Context, string) (<-chan []*discovery.ServiceInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lists := make(chan []*discovery.ServiceInfo, 1)
	s.watches = append(s.watches, lists)
	return lists, s.failure
}

func (s *scripted) Discover(context.Context, string) ([]*discovery.ServiceInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.discovered++
	return []*discovery.ServiceInfo{{Address: "10.0.0.1"}}, s.failure
}

func (s *scripted) fail(failure error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = failure
}

// watched returns how many watches there were, and the last one.
func (s *scripted) watched() (int, chan []*discovery.ServiceInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watches), s.watches[len(s.watches)-1]
}

func (s *scripted) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.discovered
}

var errAway = errors.New("the registry is away")

// build returns a resolver of im-service; it runs in a bubble.
func build(t *testing.T, d discovery.ServiceDiscovery, conn resolver.ClientConn) resolver.Resolver {
	t.Helper()
	target := resolver.Target{URL: url.URL{Scheme: grpcresolver.Scheme, Path: "/im-service"}}
	r, err := grpcresolver.NewBuilder(d).Build(target, conn, resolver.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return r
}

func TestResolverPassesInstancesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one := &discovery.ServiceInfo{ID: "one", Address: "10.0.0.1", Port: 8083, Metadata: map[string]string{"weight": "3"}}
		same := &discovery.ServiceInfo{ID: "same", Address: "10.0.0.1", Port: 8083}
		six := &discovery.ServiceInfo{ID: "six", Address: "::1", Port: 8083}
		d, conn := new(scripted), new(recorded)
		r := build(t, d, conn)
		_, lists := d.watched()
		lists <- []*discovery.ServiceInfo{one, nil, same, six}
		synctest.Wait()
		r.Close()
		states, _ := conn.told()
		if len(states) != 1 || len(states[0].Addresses) != 2 || len(states[0].Endpoints) != 2 {
			t.Fatalf("told of %v, want one state with two addresses", states)
		}
		for i, want := range []*discovery.ServiceInfo{one, six} {
			if got := grpcresolver.Instance(states[0].Endpoints[i]); got != want {
				t.Errorf("the instance of endpoint %d is %v, want %v", i, got, want)
			}
			if got := states[0].Addresses[i].Addr; got != want.Target() {
				t.Errorf("address %d is %s, want %s", i, got, want.Target())
			}
		}
		if got := grpcresolver.Instance(resolver.Endpoint{}); got != nil {
			t.Errorf("the instance of an endpoint of another resolver is %v", got)
		}
	})
}

func TestResolveNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, conn := new(scripted), new(recorded)
		r := build(t, d, conn)
		defer r.Close()
		for range 100 {
			r.ResolveNow(resolver.ResolveNowOptions{})
			synctest.Wait()
		}
		if states, _ := conn.told(); d.asked() != 1 || len(states) != 1 {
			t.Fatalf("asked %d times for 100 calls and told of %d states, want one", d.asked(), len(states))
		}
		time.Sleep(5 * time.Second)
		d.fail(errAway)
		r.ResolveNow(resolver.ResolveNowOptions{})
		synctest.Wait()
		if _, errs := conn.told(); d.asked() != 2 || len(errs) != 1 || !errors.Is(errs[0], errAway) {
			t.Errorf("asked %d times, errors %v, want the second to fail", d.asked(), errs)
		}
	})
}

// A watch that fails is tried again, ever less often, and at once never.
func TestResolverWatchesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, conn := &scripted{failure: errAway}, new(recorded)
		r := build(t, d, conn)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		n, _ := d.watched()
		if n < 20 || n > 60 { // 30 s apart, or half of that
			t.Errorf("tried %d times in 10 minutes", n)
		}
		if _, errs := conn.told(); len(errs) != n || !strings.Contains(errs[0].Error(), "im-service: the registry is away") {
			t.Errorf("%d errors for %d failures: %v", len(errs), n, errs)
		}
		d.fail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		before, last := d.watched()
		last <- nil
		close(last)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if after, _ := d.watched(); after != before+1 {
			t.Errorf("watched %d times within 2 s of a watch that ended, want once", after-before)
		}
		r.Close()
	})
}

func TestResolverCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, conn := new(scripted), new(recorded)
		build(t, d, conn).Close() // while it follows
		d.fail(errAway)
		r := build(t, d, conn)
		r.ResolveNow(resolver.ResolveNowOptions{})
		r.Close() // while it waits to try again
		r.ResolveNow(resolver.ResolveNowOptions{})
		if states, errs := conn.told(); len(states) != 0 || len(errs) != 1 {
			t.Errorf("told of %v and %v", states, errs)
		}
	})
}
