package discovery

import (
	"errors"
	"sync"
	"testing"
)

func list(ids ...string) []*ServiceInfo {
	var l []*ServiceInfo
	for _, id := range ids {
		l = append(l, &ServiceInfo{ID: id, Address: "10.0.0.1", Port: 8083})
	}
	return l
}

func pick(t *testing.T, b *RoundRobinBalancer, services []*ServiceInfo, n int) string {
	t.Helper()
	var got string
	for range n {
		s, err := b.Select(services)
		if err != nil {
			t.Fatalf("Select: %v", err)
		}
		got += s.ID
	}
	return got
}

func TestRoundRobinTakesTurns(t *testing.T) {
	t.Parallel()
	if got := pick(t, NewRoundRobinBalancer(), list("a", "b", "c"), 7); got != "abcabca" {
		t.Errorf("chose %s, want abcabca", got)
	}
}

func TestRoundRobinFallsBackToUpdate(t *testing.T) {
	t.Parallel()
	b := NewRoundRobinBalancer()
	if _, err := b.Select(nil); !errors.Is(err, ErrNoService) {
		t.Fatalf("Select without instances: %v, want ErrNoService", err)
	}
	b.Update(list("a", "b"))
	if got := pick(t, b, nil, 3); got != "aba" {
		t.Errorf("chose %s, want aba", got)
	}
}

func TestRoundRobinSkipsUnhealthy(t *testing.T) {
	t.Parallel()
	b := NewRoundRobinBalancer()
	services := list("a", "b", "c")
	services[1].Health = HealthUnhealthy
	services = append(services, nil)
	if got := pick(t, b, services, 4); got != "acac" {
		t.Errorf("chose %s, want acac", got)
	}
	services[0].Health, services[2].Health = HealthUnhealthy, HealthUnhealthy
	if _, err := b.Select(services); !errors.Is(err, ErrNoService) {
		t.Errorf("all unhealthy: %v, want ErrNoService", err)
	}
	services[2].Health = HealthUnknown
	if got := pick(t, b, services, 2); got != "cc" {
		t.Errorf("chose %s, want cc", got)
	}
}

func TestRoundRobinKeepsItsPlace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		updated []*ServiceInfo
		want    string
	}{
		{"same list", list("a", "b", "c"), "bca"},
		{"another order", list("c", "a", "b"), "bca"},
		{"one more in front", list("z", "a", "b", "c"), "bcz"},
		{"the last choice is gone", list("b", "c"), "bcb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := NewRoundRobinBalancer()
			b.Update(list("a", "b", "c"))
			pick(t, b, nil, 1)
			b.Update(tt.updated)
			if got := pick(t, b, nil, 3); got != tt.want {
				t.Errorf("after the update chose %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRoundRobinWithoutIDs(t *testing.T) {
	t.Parallel()
	b := NewRoundRobinBalancer()
	services := []*ServiceInfo{{Address: "h", Port: 1}, {Address: "h", Port: 2}}
	first, _ := b.Select(services)
	second, _ := b.Select(services)
	if first.Port != 1 || second.Port != 2 {
		t.Errorf("chose ports %d and %d, want 1 and 2", first.Port, second.Port)
	}
}

func TestRoundRobinConcurrently(t *testing.T) {
	t.Parallel()
	b := NewRoundRobinBalancer()
	services := list("a", "b", "c", "d")
	var mu sync.Mutex
	chosen := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				b.Update(services)
				s, err := b.Select(nil)
				if err != nil {
					t.Errorf("Select: %v", err)
					return
				}
				mu.Lock()
				chosen[s.ID]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, s := range services {
		if chosen[s.ID] != 200 {
			t.Errorf("%s was chosen %d times, want 200", s.ID, chosen[s.ID])
		}
	}
}
