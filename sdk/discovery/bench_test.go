package discovery_test

import (
	"fmt"
	"testing"

	"github.com/game-im/hermod/sdk/discovery"
)

func many(n int) []*discovery.ServiceInfo {
	var list []*discovery.ServiceInfo
	for i := range n {
		list = append(list, &discovery.ServiceInfo{
			Address: "10.0.0.1", Port: 10_000 + i, Metadata: map[string]string{discovery.MetadataWeight: fmt.Sprint(1 + i%3)},
		})
	}
	return list
}

func BenchmarkSelect(b *testing.B) {
	for name, open := range balancers {
		for _, n := range []int{3, 100} {
			services := many(n)
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				lb := open()
				lb.Update(services)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := lb.Select(services); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Choosing from a list that is the same as last time takes no memory.
func TestSelectDoesNotAllocate(t *testing.T) {
	services := many(100)
	for name, open := range balancers {
		lb := open()
		lb.(discovery.FailureReporter).Failed(services[1])
		if n := testing.AllocsPerRun(100, func() {
			if _, err := lb.Select(services); err != nil {
				t.Error(err)
			}
		}); n > 0 {
			t.Errorf("%s allocates %v times for a choice", name, n)
		}
	}
}
