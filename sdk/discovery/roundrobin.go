package discovery

// RoundRobinBalancer chooses the instances in turn and passes over unhealthy ones and those that
// just failed. Its place is the instance that it chose last, so a new list, whatever its order
// and length, does not make it begin again with the first one. It is safe for concurrent use.
type RoundRobinBalancer struct {
	roster
	last  identity // of the instance chosen last
	index int      // where it stood
}

// NewRoundRobinBalancer returns a balancer that knows no instance yet.
func NewRoundRobinBalancer() *RoundRobinBalancer {
	return &RoundRobinBalancer{index: -1}
}

// Select returns the next usable instance of services, or of the last Update when services is
// empty.
func (b *RoundRobinBalancer) Select(services []*ServiceInfo) (*ServiceInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	services = b.candidatesLocked(services)
	filter := b.cooling.among(services)
	start := b.nextLocked(services)
	for i := range services {
		at := (start + i) % len(services)
		if s := services[at]; filter.takes(s) {
			b.last, b.index = s.identity(), at
			return s, nil
		}
	}
	return nil, ErrNoService
}

// nextLocked returns the index that follows the instance chosen last. When that one is gone, its
// successor has moved into its place.
func (b *RoundRobinBalancer) nextLocked(services []*ServiceInfo) int {
	if b.index < 0 {
		return 0
	}
	if b.index < len(services) && b.isLastLocked(services[b.index]) {
		return b.index + 1
	}
	for i, s := range services {
		if b.isLastLocked(s) {
			return i + 1
		}
	}
	return b.index
}

func (b *RoundRobinBalancer) isLastLocked(s *ServiceInfo) bool {
	return s != nil && s.identity() == b.last
}
