package discovery

import "testing"

func TestRandomIsUniform(t *testing.T) {
	t.Parallel()
	services := append(weights("1", "100", "1", "1"), nil)
	services[2].Health = HealthUnhealthy
	b := NewRandomBalancer()
	count := make(map[string]int)
	for range keys {
		count[turns(t, b, services, 1)]++
	}
	for _, id := range []string{"a", "b", "d"} {
		within(t, id, count[id], 1./3)
	}
}
