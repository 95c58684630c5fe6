package discovery

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
)

// ErrNoService means that there is no instance to choose: none is known, or all are unhealthy.
var ErrNoService = errors.New("discovery: no usable service instance")

// RoundRobinBalancer chooses the instances in turn and skips unhealthy ones. Its place is the
// instance that it chose last, so a new list, whatever its order and length, does not make it
// begin again with the first one. It is safe for concurrent use.
type RoundRobinBalancer struct {
	mu       sync.Mutex
	services []*ServiceInfo
	last     string // key of the instance chosen last
	index    int    // where it stood
}

// NewRoundRobinBalancer returns a balancer that knows no instance yet.
func NewRoundRobinBalancer() *RoundRobinBalancer {
	return &RoundRobinBalancer{index: -1}
}

// Update replaces the instances that Select falls back to.
func (b *RoundRobinBalancer) Update(services []*ServiceInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.services = slices.Clone(services)
}

// Select returns the next usable instance of services, or of the last Update when services is
// empty.
func (b *RoundRobinBalancer) Select(services []*ServiceInfo) (*ServiceInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(services) == 0 {
		services = b.services
	}
	start := b.nextLocked(services)
	for i := range services {
		at := (start + i) % len(services)
		if s := services[at]; usable(s) {
			b.last, b.index = key(s), at
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
	at := slices.IndexFunc(services, func(s *ServiceInfo) bool { return s != nil && key(s) == b.last })
	if at >= 0 {
		return at + 1
	}
	return b.index
}

func usable(s *ServiceInfo) bool { return s != nil && s.Health != HealthUnhealthy }

// key tells instances apart. Lists written by hand often have no IDs.
func key(s *ServiceInfo) string {
	if s.ID != "" {
		return s.ID
	}
	return net.JoinHostPort(s.Address, strconv.Itoa(s.Port))
}
