package discovery

import "math/rand/v2"

// RandomBalancer chooses any instance, each with the same probability, and passes over unhealthy
// ones and those that just failed. Many clients that start together are thus spread, which turns
// do not do. Weights do not matter to it. It is safe for concurrent use.
type RandomBalancer struct {
	roster
}

// NewRandomBalancer returns a balancer that knows no instance yet.
func NewRandomBalancer() *RandomBalancer {
	return &RandomBalancer{}
}

// Select returns any usable instance of services, or of the last Update when services is empty.
func (b *RandomBalancer) Select(services []*ServiceInfo) (*ServiceInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	services = b.candidatesLocked(services)
	filter := b.cooling.among(services)
	var chosen *ServiceInfo
	n := 0
	for _, s := range services {
		if !filter.takes(s) {
			continue
		}
		if n++; rand.IntN(n) == 0 { // the n-th replaces those before it with probability 1/n
			chosen = s
		}
	}
	if chosen == nil {
		return nil, ErrNoService
	}
	return chosen, nil
}
