package biz_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// TestALeaseEnds unless it is renewed.
func TestALeaseEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newUpstreamScene(t, upstreamRules())
		defer s.run()()
		s.register("game", "", "game:1", 10*time.Second)
		for range 5 {
			time.Sleep(9 * time.Second)
			if got := s.ask("alice", "x"); got != "game:1" {
				t.Fatalf("%q answers", got)
			}
			s.register("game", "", "game:1", 10*time.Second)
		}
		time.Sleep(12 * time.Second)
		if got := s.ask("alice", "hello"); got != "welcome, alice" {
			t.Errorf("after the lease %q answers", got)
		}
		if addrs := s.instances.addresses(); len(addrs) > 0 {
			t.Errorf("connections are kept to %v", addrs)
		}
		s.register("game", "", "game:1", 10*time.Second) // it comes back
		if got := s.ask("alice", "hello"); got != "game:1" {
			t.Errorf("after coming back %q answers", got)
		}
	})
}

// TestARegistrationWithoutLease ends when nothing was reached there for a while, and not before.
func TestARegistrationWithoutLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newUpstreamScene(t, upstreamRules())
		defer s.run()()
		s.register("", "001", "old:1", 0)
		time.Sleep(time.Hour)
		s.instances.setAway("old:1", true)
		time.Sleep(50 * time.Second)
		if got := s.ask("10001", "x"); got != "UPSTREAM_UNAVAILABLE" {
			t.Fatalf("out of reach: %q", got)
		}
		s.instances.setAway("old:1", false) // for a moment is enough
		time.Sleep(6 * time.Second)
		s.instances.setAway("old:1", true)
		time.Sleep(50 * time.Second)
		if len(s.States()) != 1 {
			t.Fatal("the registration ended too early")
		}
		time.Sleep(20 * time.Second)
		if got := s.ask("10001", "hello"); got != "welcome, 10001" {
			t.Errorf("out of reach for more than a minute: %q", got)
		}
	})
}

// TestRegisteringAgainReplaces what was said before.
func TestRegisteringAgainReplaces(t *testing.T) {
	t.Parallel()
	s := newUpstreamScene(t, upstreamRules())
	s.register("game", "001", "game:1", time.Minute)
	if _, err := s.Register(biz.Registration{Service: "game", Zone: "002", Address: "game:1", Current: true}); err != nil {
		t.Fatal(err)
	}
	states := s.States()
	if len(states) != 1 || states[0].Service != "game/002" || len(s.instances.kept) != 1 || !s.instances.kept[0].Current {
		t.Errorf("%+v, connected to %+v", states, s.instances.kept)
	}
}

// TestWhatNeverLeftIsAskedElsewhere: whatever the action.
func TestWhatNeverLeftIsAskedElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newUpstreamScene(t, upstreamRules())
		s.register("game", "", "a:1", 0)
		s.register("game", "", "b:1", 0)
		s.instances.setAway("a:1", true)
		for i := range 20 {
			if got := s.ask(fmt.Sprint(i), "buy"); got != "b:1" {
				t.Fatalf("user %d: %q", i, got)
			}
		}
		if s.meter.retried == 0 || s.meter.asked["game answered"] != 20 {
			t.Errorf("%+v", s.meter)
		}
	})
}

// TestARestartIsNotNoticed: with one instance alone, what never left it waits a moment.
func TestARestartIsNotNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newUpstreamScene(t, upstreamRules())
		s.register("game", "", "a:1", 0)
		s.instances.setAway("a:1", true)
		time.AfterFunc(200*time.Millisecond, func() { s.instances.setAway("a:1", false) })
		if got := s.ask("alice", "buy"); got != "a:1" {
			t.Errorf("got %q", got)
		}
	})
}

// TestOnlyIdempotentActionsAreAskedTwice when an instance was asked and nothing is known.
func TestOnlyIdempotentActionsAreAskedTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rules := upstreamRules()
		rules.Services = []biz.ServiceRules{{
			Name: "game", Addresses: []string{"a:1", "b:1"}, Idempotent: []string{"list"}, Timeout: time.Second, ByHash: true,
		}}
		rules.Routes = []biz.Route{{Service: "game"}}
		rules.Breaker.Failures = 1000
		s := newUpstreamScene(t, rules)
		s.instances.set("a:1", hang)
		for i := range 20 {
			user := fmt.Sprint(i)
			s.ask(user, "buy")
			calls := s.instances.taken()
			if len(calls) != 1 {
				t.Fatalf("buy went to %v", calls)
			}
			want := calls
			if calls[0] == "a:1" {
				want = []string{"a:1", "b:1"}
			}
			if got := s.ask(user, "list"); got != "b:1" || !slices.Equal(s.instances.taken(), want) {
				t.Fatalf("list: %q", got)
			}
		}
		s.instances.set("a:1", fails) // it was asked, and has answered: nothing is unknown
		s.instances.set("b:1", fails)
		if got := s.ask("alice", "list"); got != "UPSTREAM_FAILED" || len(s.instances.taken()) != 1 {
			t.Errorf("got %q", got)
		}
	})
}

// TestASilentInstanceIsGivenUp, and tried again with one request after a while; others of its service
// take its clients over.
func TestASilentInstanceIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rules := upstreamRules()
		rules.Services = []biz.ServiceRules{{Name: "game", Addresses: []string{"a:1"}, Timeout: time.Second}}
		rules.Routes = []biz.Route{{Service: "game"}}
		s := newUpstreamScene(t, rules)
		s.instances.set("a:1", hang)
		for range 3 {
			if got := s.ask("alice", "x"); got != "UPSTREAM_TIMEOUT" {
				t.Fatalf("got %q", got)
			}
		}
		s.instances.taken()
		started := time.Now()
		_, err := s.Process(t.Context(), &biz.UpstreamRequest{Action: "x"})
		e := biz.AsError(err)
		if e.Reason != "UPSTREAM_UNAVAILABLE" || e.Kind != biz.KindUnavailable || e.Retry != 5*time.Second || time.Since(started) > 0 || len(s.instances.taken()) > 0 {
			t.Errorf("given up: %+v after %v", e, time.Since(started))
		}
		if st := s.States(); st[0].Breaker != "open" {
			t.Errorf("%+v", st)
		}
		time.Sleep(6 * time.Second)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { s.ask("alice", "x") })
		}
		wg.Wait()
		if calls := s.instances.taken(); len(calls) != 1 {
			t.Errorf("%d requests tried it again", len(calls))
		}
		time.Sleep(6 * time.Second)
		s.instances.set("a:1", nil)
		for range 2 {
			if got := s.ask("alice", "x"); got != "a:1" {
				t.Errorf("it is back: %q", got)
			}
		}
	})
}

// TestAFailureIsASignOfLife: an instance whose answers are errors is not given up.
func TestAFailureIsASignOfLife(t *testing.T) {
	t.Parallel()
	s := newUpstreamScene(t, upstreamRules())
	s.register("game", "", "a:1", 0)
	s.instances.set("a:1", fails)
	for range 20 {
		if got := s.ask("alice", "x"); got != "UPSTREAM_FAILED" {
			t.Fatalf("got %q", got)
		}
	}
	if st := s.States(); st[0].Breaker != "closed" || s.meter.asked["game failed"] != 20 {
		t.Errorf("%+v, %v", st, s.meter.asked)
	}
}

// TestAServiceThatHangsIsItsOwnMatter: it has as many requests as it may have, the next ones are refused
// at once with advice, and other services notice nothing.
func TestAServiceThatHangsIsItsOwnMatter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rules := upstreamRules()
		rules.Services = []biz.ServiceRules{static("hangs"), static("works")}
		rules.Services[0].MaxConcurrent = 4
		rules.Routes = []biz.Route{{Action: "hangs", Service: "hangs"}, {Action: "works", Service: "works"}}
		s := newUpstreamScene(t, rules)
		s.instances.set("hangs:1", hang)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		started := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				got := s.asks(ctx, &biz.UpstreamRequest{Action: "hangs"})
				if got != "UPSTREAM_TIMEOUT" || time.Since(started) != 30*time.Second {
					t.Errorf("%q after %v", got, time.Since(started))
				}
			})
		}
		synctest.Wait()
		_, err := s.Process(ctx, &biz.UpstreamRequest{Action: "hangs"})
		if e := biz.AsError(err); e.Reason != "UPSTREAM_BUSY" || e.Kind != biz.KindResourceLimit || e.Retry != time.Second {
			t.Errorf("one too many: %+v", e)
		}
		for range 100 {
			if got := s.ask("alice", "works"); got != "works:1" {
				t.Fatalf("another service: %q", got)
			}
		}
		if time.Since(started) > 0 {
			t.Errorf("another service took %v", time.Since(started))
		}
		wg.Wait()
	})
}

// TestZonesDoNotHoldEachOtherUp: services that registered without a name share nothing.
func TestZonesDoNotHoldEachOtherUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rules := upstreamRules()
		rules.MaxConcurrent = 2
		s := newUpstreamScene(t, rules)
		s.register("", "001", "a:1", 0)
		s.register("", "002", "b:1", 0)
		s.instances.set("a:1", hang)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { s.asks(ctx, &biz.UpstreamRequest{Identity: biz.Identity{User: "10001"}, Action: "x"}) })
		}
		synctest.Wait()
		if got := s.ask("10002", "x"); got != "UPSTREAM_BUSY" {
			t.Errorf("zone 001: %q", got)
		}
		if got := s.ask("25000", "x"); got != "b:1" {
			t.Errorf("zone 002: %q", got)
		}
		cancel()
		wg.Wait()
		if s.meter.asked["zone-001 canceled"] != 2 || s.States()[0].Breaker != "closed" {
			t.Errorf("canceled requests: %v, %+v", s.meter.asked, s.States())
		}
	})
}

// TestTheLeastBusyIsAsked.
func TestTheLeastBusyIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rules := upstreamRules()
		rules.Services = []biz.ServiceRules{{Name: "game", Addresses: []string{"a:1", "b:1", "c:1"}}}
		rules.Routes = []biz.Route{{Service: "game"}}
		s := newUpstreamScene(t, rules)
		s.instances.set("b:1", hang)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 { // one of them is b
			wg.Go(func() { s.asks(ctx, &biz.UpstreamRequest{Action: "x"}) })
			synctest.Wait()
		}
		share := map[string]int{}
		for range 100 {
			share[s.ask("alice", "x")]++
		}
		if share["a:1"] < 30 || share["c:1"] < 30 {
			t.Errorf("answered by %v", share)
		}
		cancel()
		wg.Wait()
	})
}

// TestRulesOfServicesAreReplaced: connections to what is not named any more are given up.
func TestRulesOfServicesAreReplaced(t *testing.T) {
	t.Parallel()
	rules := upstreamRules()
	rules.Services = []biz.ServiceRules{{Name: "game", Addresses: []string{"a:1", "b:1"}, Discovered: []string{"game"}}}
	rules.Routes = []biz.Route{{Service: "game"}}
	s := newUpstreamScene(t, rules)
	if names, _ := s.Names(); !slices.Equal(names, []string{"game"}) {
		t.Errorf("looked for %v", names)
	}
	s.Found("game", []biz.Endpoint{{Address: "c:1", TLS: true}, {Address: "b:1"}})
	s.Found("other", []biz.Endpoint{{Address: "d:1"}})
	if got := s.instances.addresses(); !slices.Equal(got, []string{"a:1", "b:1", "c:1"}) || !s.instances.kept[2].TLS {
		t.Errorf("connected to %+v", s.instances.kept)
	}
	rules.Services[0].Addresses = []string{"a:1"}
	s.SetRules(rules)
	s.Found("game", []biz.Endpoint{{Address: "c:1"}})
	if got := s.instances.addresses(); !slices.Equal(got, []string{"a:1", "c:1"}) {
		t.Errorf("connected to %v", got)
	}
	s.register("game", "", "a:1", time.Minute)
	rules.Services = nil
	s.SetRules(rules)
	if got := s.instances.addresses(); !slices.Equal(got, []string{"a:1"}) {
		t.Errorf("with nothing but a registration, connected to %v", got)
	}
}

// TestACallThatPanics gives its place back.
func TestACallThatPanics(t *testing.T) {
	t.Parallel()
	rules := upstreamRules()
	rules.MaxConcurrent = 1
	s := newUpstreamScene(t, rules)
	s.register("game", "", "a:1", 0)
	s.instances.set("a:1", func(context.Context, *biz.UpstreamRequest) (*biz.UpstreamResponse, error) { panic("as told") })
	func() {
		defer func() { _ = recover() }() // as the session's own goroutine does
		s.ask("alice", "x")
	}()
	s.instances.set("a:1", nil)
	if got := s.ask("alice", "x"); got != "a:1" {
		t.Errorf("got %q", got)
	}
}

// TestANodeThatIsClosedToRegistrations takes none, and keeps those that it has until they end.
func TestANodeThatIsClosedToRegistrations(t *testing.T) {
	t.Parallel()
	rules := upstreamRules()
	s := newUpstreamScene(t, rules)
	s.register("game", "", "a:1", 0)
	rules.Closed = true
	s.SetRules(rules)
	_, err := s.Register(biz.Registration{Service: "game", Address: "a:1"})
	wantError(t, err, biz.KindPermissionDenied, "REGISTER_FAILED")
	if got := s.ask("alice", "x"); got != "a:1" {
		t.Errorf("got %q", got)
	}
}
