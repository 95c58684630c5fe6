package grpcresolver_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/discovery/grpcresolver"
	"google.golang.org/grpc/resolver"
)

// recorded is the connection of a resolver: it writes down what it is told. It is read when the
// resolver rests.
type recorded struct {
	resolver.ClientConn // not called
	states              []resolver.State
	errors              []error
}

func (r *recorded) ReportError(err error) { r.errors = append(r.errors, err) }
func (r *recorded) UpdateState(s resolver.State) error {
	r.states = append(r.states, s)
	return nil
}

// scripted is a discovery whose watches the test holds in its hands.
type scripted struct {
	discovery.ServiceDiscovery // not called
	watches                    []chan []*discovery.ServiceInfo
	watchErr, discoverErr      error
	discovered                 int
	present                    []*discovery.ServiceInfo
}

func (s *scripted) Watch(context.Context, string) (<-chan []*discovery.ServiceInfo, error) {
	lists := make(chan []*discovery.ServiceInfo, 1)
	s.watches = append(s.watches, lists)
	return lists, s.watchErr
}

func (s *scripted) Discover(context.Context, string) ([]*discovery.ServiceInfo, error) {
	s.discovered++
	return s.present, s.discoverErr
}

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
		d.watches[0] <- []*discovery.ServiceInfo{one, nil, same, six}
		synctest.Wait()
		r.Close()
		if len(conn.states) != 1 || len(conn.states[0].Addresses) != 2 || len(conn.states[0].Endpoints) != 2 {
			t.Fatalf("told of %v, want one state with two addresses", conn.states)
		}
		for i, want := range []*discovery.ServiceInfo{one, six} {
			if got := grpcresolver.Instance(conn.states[0].Endpoints[i]); got != want {
				t.Errorf("the instance of endpoint %d is %v, want %v", i, got, want)
			}
			if got := conn.states[0].Addresses[i].Addr; got != want.Target() {
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
		d := &scripted{present: []*discovery.ServiceInfo{{Address: "10.0.0.1"}}}
		conn := new(recorded)
		r := build(t, d, conn)
		defer r.Close()
		for range 100 {
			r.ResolveNow(resolver.ResolveNowOptions{})
			synctest.Wait()
		}
		if d.discovered != 1 || len(conn.states) != 1 {
			t.Fatalf("asked %d times for 100 calls and told of %d states, want one", d.discovered, len(conn.states))
		}
		time.Sleep(5 * time.Second)
		d.discoverErr = errors.New("the registry is away")
		r.ResolveNow(resolver.ResolveNowOptions{})
		synctest.Wait()
		if d.discovered != 2 || len(conn.errors) != 1 || !errors.Is(conn.errors[0], d.discoverErr) {
			t.Errorf("asked %d times, errors %v, want the second to fail", d.discovered, conn.errors)
		}
	})
}

// A watch that fails is tried again, ever less often, and at once never.
func TestResolverWatchesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, conn := &scripted{watchErr: errors.New("the registry is away")}, new(recorded)
		r := build(t, d, conn)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(d.watches); n < 20 || n > 60 { // 30 s apart, or half of that
			t.Errorf("tried %d times in 10 minutes", n)
		}
		if len(conn.errors) != len(d.watches) || !strings.Contains(conn.errors[0].Error(), "im-service: the registry is away") {
			t.Errorf("%d errors for %d failures, the first %v", len(conn.errors), len(d.watches), conn.errors[0])
		}
		d.watchErr = nil
		time.Sleep(time.Minute)
		synctest.Wait()
		last := d.watches[len(d.watches)-1]
		last <- nil
		close(last)
		before := len(d.watches)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(d.watches) != before+1 {
			t.Errorf("watched %d times within 2 s of a watch that ended, want once", len(d.watches)-before)
		}
		r.Close()
	})
}

func TestResolverCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, conn := new(scripted), new(recorded)
		build(t, d, conn).Close() // while it follows
		d.watchErr = errors.New("the registry is away")
		r := build(t, d, conn)
		r.ResolveNow(resolver.ResolveNowOptions{})
		r.Close() // while it waits to try again
		r.ResolveNow(resolver.ResolveNowOptions{})
		if len(conn.states) != 0 || len(conn.errors) != 1 {
			t.Errorf("told of %v and %v", conn.states, conn.errors)
		}
	})
}
