package discoverytest

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/game-im/hermod/sdk/discovery"
)

// enough choices to see every instance that may be chosen, whatever the policy.
const enough = 200

// Balancer tests a LoadBalancer, and what FailureReporter promises if it is one.
func Balancer(t *testing.T, open func() discovery.LoadBalancer) {
	t.Helper()
	tests := []struct {
		name string
		test func(*testing.T, discovery.LoadBalancer)
	}{
		{"NothingToChoose", nothingToChoose},
		{"ChoosesFromTheList", choosesFromTheList},
		{"FallsBackToUpdate", fallsBackToUpdate},
		{"PassesOverUnhealthy", passesOverUnhealthy},
		{"WithoutIDs", withoutIDs},
		{"ChangesNothing", changesNothing},
		{"BalancerConcurrently", balancerConcurrently},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, open())
		})
	}
	if _, ok := open().(discovery.FailureReporter); ok {
		t.Run("PassesOverWhatJustFailed", func(t *testing.T) {
			t.Parallel()
			passesOverWhatJustFailed(t, open())
		})
	}
}

// instances returns healthy instances with these IDs.
func instances(ids ...string) []*discovery.ServiceInfo {
	var list []*discovery.ServiceInfo
	for i, id := range ids {
		list = append(list, &discovery.ServiceInfo{
			ID: id, Name: "im-service", Address: "10.0.0." + strconv.Itoa(i+1), Port: 8083,
			Health: discovery.HealthHealthy,
		})
	}
	return list
}

// chosen returns the IDs of all that many choices choose, sorted.
func chosen(t *testing.T, b discovery.LoadBalancer, services []*discovery.ServiceInfo) []string {
	t.Helper()
	seen := make(map[string]bool)
	for range enough {
		s, err := b.Select(services)
		if err != nil {
			t.Fatalf("Select: %v", err)
		}
		seen[s.ID] = true
	}
	var ids []string
	for id := range seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// only fails unless all that is chosen is among the IDs.
func only(t *testing.T, b discovery.LoadBalancer, services []*discovery.ServiceInfo, ids ...string) {
	t.Helper()
	for _, id := range chosen(t, b, services) {
		if !slices.Contains(ids, id) {
			t.Errorf("chose %s, want only %v", id, ids)
		}
	}
}

func nothingToChoose(t *testing.T, b discovery.LoadBalancer) {
	unhealthy := instances("a", "b")
	for _, s := range unhealthy {
		s.Health = discovery.HealthUnhealthy
	}
	for name, services := range map[string][]*discovery.ServiceInfo{
		"no list": nil, "an empty list": {}, "only nil": {nil, nil}, "only unhealthy": unhealthy,
	} {
		if s, err := b.Select(services); !errors.Is(err, discovery.ErrNoService) || s != nil {
			t.Errorf("%s: chose %v with error %v, want ErrNoService", name, s, err)
		}
		b.Update(services)
		if s, err := b.Select(nil); !errors.Is(err, discovery.ErrNoService) || s != nil {
			t.Errorf("%s by Update: chose %v with error %v, want ErrNoService", name, s, err)
		}
	}
}

func choosesFromTheList(t *testing.T, b discovery.LoadBalancer) {
	b.Update(instances("x", "y"))
	services := []*discovery.ServiceInfo{nil, instances("a")[0], nil}
	for range enough {
		if s, err := b.Select(services); err != nil || s != services[1] {
			t.Fatalf("chose %v with error %v, want the only instance of the list itself", s, err)
		}
	}
	only(t, b, instances("a", "b", "c"), "a", "b", "c")
}

func fallsBackToUpdate(t *testing.T, b discovery.LoadBalancer) {
	b.Update(instances("a", "b"))
	only(t, b, nil, "a", "b")
	b.Update(instances("c"))
	only(t, b, []*discovery.ServiceInfo{}, "c")
	b.Update(nil)
	if _, err := b.Select(nil); !errors.Is(err, discovery.ErrNoService) {
		t.Errorf("after Update(nil): %v, want ErrNoService", err)
	}
}

func passesOverUnhealthy(t *testing.T, b discovery.LoadBalancer) {
	services := instances("a", "b", "c", "d")
	services[1].Health = discovery.HealthUnhealthy
	services[2].Health = discovery.HealthUnknown
	services[3].Health = ""
	only(t, b, services, "a", "c", "d")
	b.Update(services[1:3])
	only(t, b, nil, "c")
}

// withoutIDs expects instances to be told apart by their addresses.
func withoutIDs(t *testing.T, b discovery.LoadBalancer) {
	services := instances("", "")
	services[1].Health = discovery.HealthUnhealthy
	for range enough {
		if s, err := b.Select(services); err != nil || s != services[0] {
			t.Fatalf("chose %+v with error %v, want the first", s, err)
		}
	}
	if reporter, ok := b.(discovery.FailureReporter); ok {
		services[1].Health = discovery.HealthHealthy
		reporter.Failed(services[0])
		if s, err := b.Select(services); err != nil || s != services[1] {
			t.Errorf("chose %+v with error %v, want the second", s, err)
		}
	}
}

func changesNothing(t *testing.T, b discovery.LoadBalancer) {
	services := append(instances("c", "a", "b"), nil)
	list := slices.Clone(services)
	b.Update(list)
	list[0] = nil // the balancer has its own list
	only(t, b, nil, "a", "b", "c")
	list[0] = services[0]
	chosen(t, b, list)
	if !slices.Equal(list, services) {
		t.Errorf("the list became %v", list)
	}
	for i, s := range instances("c", "a", "b") {
		if got := services[i]; got.ID != s.ID || got.Address != s.Address || got.Metadata != nil {
			t.Errorf("an instance became %+v", got)
		}
	}
}

func passesOverWhatJustFailed(t *testing.T, b discovery.LoadBalancer) {
	reporter := b.(discovery.FailureReporter)
	services := instances("a", "b", "c")
	reporter.Failed(nil)
	reporter.Failed(services[0])
	only(t, b, services, "b", "c")
	only(t, b, instances("c", "b", "a"), "b", "c") // by ID, not by place or pointer
	b.Update(services)
	only(t, b, nil, "b", "c")
	reporter.Failed(services[1])
	only(t, b, services, "c")
	only(t, b, services[:1], "a") // it is the only one
	reporter.Failed(services[2])
	only(t, b, services, "a", "b", "c") // all are the same
	services[2].Health = discovery.HealthUnhealthy
	only(t, b, services, "a", "b") // that failed, but is not known to be unhealthy
}

func balancerConcurrently(t *testing.T, b discovery.LoadBalancer) {
	services := instances("a", "b", "c", "d")
	b.Update(services)
	reporter, reports := b.(discovery.FailureReporter)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range enough {
				s, err := b.Select(services[:i%len(services)])
				if err != nil || !slices.Contains(services, s) {
					t.Errorf("chose %v with error %v", s, err)
					return
				}
				if b.Update(services[i%2:]); reports {
					reporter.Failed(s)
				}
			}
		})
	}
	wg.Wait()
}
