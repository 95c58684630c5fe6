package discovery

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const keys = 10_000

// assign returns which instance each of many keys belongs to.
func assign(t interface{ Fatalf(string, ...any) }, b *ConsistentHashBalancer, services []*ServiceInfo) []string {
	owners := make([]string, keys)
	for i := range owners {
		s, err := b.SelectByKey(services, fmt.Sprint("user-", i))
		if err != nil {
			t.Fatalf("SelectByKey: %v", err)
		}
		owners[i] = s.ID
	}
	return owners
}

func nodes(n int) []*ServiceInfo {
	var list []*ServiceInfo
	for i := range n {
		list = append(list, weighted(fmt.Sprint("node-", i), "1"))
	}
	return list
}

// within fails when a count of keys is further from its expectation than chance would have it in
// a run of this test in a billion.
func within(t interface{ Errorf(string, ...any) }, what string, got int, probability float64) {
	mean := keys * probability
	if deviation := math.Sqrt(mean * (1 - probability)); math.Abs(float64(got)-mean) > 6.5*deviation+1 {
		t.Errorf("%s: %d of %d keys, want about %.0f", what, got, keys, mean)
	}
}

// A node that comes takes its share from all others and moves nothing else; one that goes gives
// its own back.
func TestConsistentHashMovesOnlyItsOwnShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "nodes")
		all := nodes(n)
		newcomer := rapid.IntRange(0, n-1).Draw(t, "newcomer")
		few := slices.Delete(slices.Clone(all), newcomer, newcomer+1)
		b := NewConsistentHashBalancer()
		before, after := assign(t, b, few), assign(t, b, all)
		moved := 0
		for i := range before {
			if before[i] == after[i] {
				continue
			}
			if moved++; after[i] != all[newcomer].ID {
				t.Fatalf("key %d moved from %s to %s when %s came", i, before[i], after[i], all[newcomer].ID)
			}
		}
		within(t, fmt.Sprintf("moved to the newest of %d", n), moved, 1/float64(n))
		if again := assign(t, b, few); !slices.Equal(before, again) {
			t.Errorf("keys did not come back when %s went", all[newcomer].ID)
		}
	})
}

func TestConsistentHashIgnoresOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		services := nodes(rapid.IntRange(1, 20).Draw(t, "nodes"))
		key := rapid.String().Draw(t, "key")
		first, err := NewConsistentHashBalancer().SelectByKey(services, key)
		if err != nil {
			t.Fatalf("SelectByKey: %v", err)
		}
		b := NewConsistentHashBalancer()
		b.Update(rapid.Permutation(services).Draw(t, "order"))
		if second, err := b.SelectByKey(nil, key); err != nil || second != first {
			t.Errorf("key %q belongs to %s here and to %v there (%v)", key, first.ID, second, err)
		}
	})
}

func TestConsistentHashWeights(t *testing.T) {
	t.Parallel()
	services := weights("1", "2", "0.5", "6.5")
	b := NewConsistentHashBalancer()
	before := assign(t, b, services)
	count := make(map[string]int)
	for _, id := range before {
		count[id]++
	}
	for id, share := range map[string]float64{"a": .1, "b": .2, "c": .05, "d": .65} {
		within(t, id, count[id], share)
	}

	// A weight that changes moves keys to or from that instance alone.
	after := assign(t, b, weights("1", "4", "0.5", "6.5"))
	moved := 0
	for i := range before {
		if before[i] != after[i] {
			if moved++; after[i] != "b" {
				t.Fatalf("key %d moved from %s to %s when b became heavier", i, before[i], after[i])
			}
		}
	}
	within(t, "moved to b", moved, 4./12-2./10)
}

// While an instance is away its keys go to all others, and no other key moves.
func TestConsistentHashSpreadsWhatIsAway(t *testing.T) {
	t.Parallel()
	away := map[string]func(*ConsistentHashBalancer, []*ServiceInfo){
		"unhealthy":   func(_ *ConsistentHashBalancer, l []*ServiceInfo) { l[0].Health = HealthUnhealthy },
		"just failed": func(b *ConsistentHashBalancer, l []*ServiceInfo) { b.Failed(l[0]) },
		"refused":     func(_ *ConsistentHashBalancer, l []*ServiceInfo) { l[0].Metadata[MetadataWeight] = "0" },
	}
	for name, leave := range away {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			services := nodes(4)
			b := NewConsistentHashBalancer()
			before := assign(t, b, services)
			leave(b, services)
			b.Update(services)
			got := make(map[string]int)
			for i, id := range assign(t, b, nil) {
				switch before[i] {
				case services[0].ID:
					got[id]++
				case id:
				default:
					t.Fatalf("key %d moved from %s to %s", i, before[i], id)
				}
			}
			if len(got) != 3 || got[services[0].ID] > 0 {
				t.Errorf("the keys went to %v, want to the three others", got)
			}
		})
	}
}

// Processes of different versions must agree, so these never change.
func TestConsistentHashStaysWhatItIs(t *testing.T) {
	t.Parallel()
	services := weights("1", "1", "2", "1")
	services = append(services, &ServiceInfo{Address: "10.0.0.9", Port: 8083})
	var got string
	for i := range 32 {
		s, err := NewConsistentHashBalancer().SelectByKey(services, fmt.Sprint("user-", i))
		if err != nil {
			t.Fatal(err)
		}
		got += s.Key()[:1]
	}
	if want := "1ca111bb11addbcad11dacccd1daca11"; got != want {
		t.Errorf("keys belong to %s, want %s", got, want)
	}
}

func TestConsistentHashSelect(t *testing.T) {
	t.Parallel()
	services := nodes(50)
	of := func(key string) *ServiceInfo {
		b := NewConsistentHashBalancer()
		b.Key = key
		first, err := b.Select(services)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if s, err := b.Select(services); err != nil || s != first {
				t.Fatalf("key %q: chose %v after %v (%v)", key, s, first, err)
			}
		}
		return first
	}
	if want, _ := NewConsistentHashBalancer().SelectByKey(services, "alice"); of("alice") != want {
		t.Error("Select does not choose by Key")
	}
	different := make(map[*ServiceInfo]bool)
	for range 50 { // all the same by chance: once in 50^49
		different[of("")] = true
	}
	if len(different) == 1 {
		t.Error("without a Key all balancers choose the same instance")
	}
}

func TestConsistentHashKeys(t *testing.T) {
	t.Parallel()
	services := nodes(3)
	for _, key := range []string{"", "a", "\x00", "\xff\xfe", "会话", strings.Repeat("k", 1<<20)} {
		if _, err := NewConsistentHashBalancer().SelectByKey(services, key); err != nil {
			t.Errorf("key of %d bytes: %v", len(key), err)
		}
	}
	b := NewConsistentHashBalancer()
	_, err := b.SelectByKey(weights("-1"), "alice")
	var fault *WeightError
	if !errors.Is(err, ErrNoService) || !errors.As(err, &fault) || b.Refused() == nil {
		t.Errorf("nothing but refused weights: %v, Refused %v", err, b.Refused())
	}
}
