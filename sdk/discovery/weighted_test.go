package discovery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// weights returns instances a, b, c and so on with these weights.
func weights(texts ...string) []*ServiceInfo {
	var list []*ServiceInfo
	for i, text := range texts {
		list = append(list, weighted(string(rune('a'+i)), text))
	}
	return list
}

// turns returns the IDs of n choices in a row.
func turns(t interface{ Fatalf(string, ...any) }, b LoadBalancer, services []*ServiceInfo, n int) string {
	var got strings.Builder
	for range n {
		s, err := b.Select(services)
		if err != nil {
			t.Fatalf("Select: %v", err)
		}
		got.WriteString(s.ID)
	}
	return got.String()
}

func TestWeightedRoundRobinIsSmooth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		weights []string
		want    string
	}{
		{[]string{"5", "1", "1"}, "aabacaaaabacaa"},
		{[]string{"3", "1"}, "aabaaaba"},
		{[]string{"0.5", "0.5", "1"}, "cabccabc"},
		{[]string{"7"}, "aaaa"},
		{[]string{"2", "2", "2"}, "abcabc"},
	}
	for _, tt := range tests {
		if got := turns(t, NewWeightedRoundRobinBalancer(), weights(tt.weights...), len(tt.want)); got != tt.want {
			t.Errorf("weights %v: chose %s, want %s", tt.weights, got, tt.want)
		}
	}
}

// Over a cycle each instance has exactly its share, and is never ahead of it or behind by two turns,
// whatever the order in which the list comes.
func TestWeightedRoundRobinShares(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SliceOfN(rapid.IntRange(1, 30), 1, 8).Draw(t, "weights")
		total := 0
		var services []*ServiceInfo
		for i, w := range drawn {
			total += w
			services = append(services, weighted(string(rune('a'+i)), fmt.Sprint(w)))
		}
		shuffle := rapid.Permutation(services).Draw(t, "order")
		b := NewWeightedRoundRobinBalancer()
		count := make(map[string]int)
		for turn := 1; turn <= 2*total; turn++ {
			if turn%3 == 0 {
				services, shuffle = shuffle, services
				b.Update(services)
			}
			count[turns(t, b, services, 1)]++
			for i, w := range drawn {
				id := string(rune('a' + i))
				if ahead := count[id]*total - turn*w; ahead >= 2*total || ahead <= -2*total {
					t.Fatalf("after %d turns %s with weight %d of %d has had %d", turn, id, w, total, count[id])
				}
			}
		}
		for i, w := range drawn {
			if id := string(rune('a' + i)); count[id] != 2*w {
				t.Errorf("%s with weight %d had %d turns in two cycles", id, w, count[id])
			}
		}
	})
}

// The fault of the balancer that this one replaces: weights belonged to places in the list.
func TestWeightsBelongToIDs(t *testing.T) {
	t.Parallel()
	b := NewWeightedRoundRobinBalancer()
	turns(t, b, weights("3", "1"), 4)
	reordered := weights("3", "1")
	slices.Reverse(reordered)
	if got := turns(t, b, reordered, 12); strings.Count(got, "a") != 9 {
		t.Errorf("after reordering chose %s, want a 9 times of 12", got)
	}
	b.Update(weights("1", "3"))
	if got := turns(t, b, nil, 12); strings.Count(got, "b") != 9 {
		t.Errorf("with new weights chose %s, want b 9 times of 12", got)
	}
	changed := weights("1", "1")
	b.Update(changed)
	changed[1].Metadata[MetadataWeight] = "5"
	b.Update(changed)
	if got := turns(t, b, nil, 12); strings.Count(got, "b") != 10 {
		t.Errorf("after an Update with the same instances chose %s, want b 10 times of 12", got)
	}
}

func TestWeightedRoundRobinKeepsItsPlace(t *testing.T) {
	t.Parallel()
	b := NewWeightedRoundRobinBalancer()
	var got string
	for range 14 {
		b.Update(weights("5", "1", "1"))
		got += turns(t, b, nil, 1)
	}
	if want := "aabacaaaabacaa"; got != want {
		t.Errorf("with an Update before each choice chose %s, want %s", got, want)
	}
}

func TestWeightedRoundRobinRefuses(t *testing.T) {
	t.Parallel()
	b := NewWeightedRoundRobinBalancer()
	if got := turns(t, b, weights("1", "0", "-3", "2x", "1"), 4); got != "aeae" {
		t.Errorf("chose %s, want aeae", got)
	}
	for _, id := range []string{"b", "c", "d"} {
		if err := b.Refused(); err == nil || !strings.Contains(err.Error(), "instance "+id) {
			t.Errorf("Refused: %v does not name %s", err, id)
		}
	}
	_, err := b.Select(weights("0", "-1"))
	var fault *WeightError
	if !errors.Is(err, ErrNoService) || !errors.As(err, &fault) || fault.Instance != "a" || fault.Value != "0" {
		t.Errorf("nothing but refused weights: %v, want ErrNoService and a *WeightError", err)
	}
	b.Update(weights("1"))
	if err := b.Refused(); err != nil {
		t.Errorf("Refused after a good Update: %v", err)
	}
	if err := new(WeightedRoundRobinBalancer).Refused(); err != nil {
		t.Errorf("Refused of a new one: %v", err)
	}
}

// Whatever came before, who is there gets his share soon: weights of millions that became small
// are not paid back, and who comes does not wait.
func TestWeightedRoundRobinForgetsWhatWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := NewWeightedRoundRobinBalancer()
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			var services []*ServiceInfo
			for id := 'a'; id <= 'f'; id++ {
				s := weighted(string(id), []string{"0.001", "1", "3", "1000000"}[random.IntN(4)])
				if random.IntN(4) == 0 {
					s.Health = HealthUnhealthy
				}
				if id == 'a' || random.IntN(2) == 0 {
					services = append(services, s)
				}
			}
			services[0].Health = HealthHealthy
			turns(t, b, services, 1+random.IntN(5))
		}
		const cycles = 10
		got := turns(t, b, weights("1", "1", "1", "1", "1", "1"), 6*cycles)
		for id := 'a'; id <= 'f'; id++ {
			if n := strings.Count(got, string(id)); n < cycles-3 || n > cycles+6 {
				t.Errorf("%c had %d of its %d turns: %s", id, n, cycles, got)
			}
		}
	})
}

func TestWeightedRoundRobinDuplicates(t *testing.T) {
	t.Parallel()
	if got := turns(t, NewWeightedRoundRobinBalancer(), append(weights("1", "1"), weights("1")...), 4); got != "abab" {
		t.Errorf("chose %s, want abab", got)
	}
}
