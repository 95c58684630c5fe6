package discovery

// StickyBalancer is a LoadBalancer whose Select depends on nothing but the instances and the
// balancer's own settings, not on whose turn it is. Who was sent to an instance by it belongs there:
// sdk/client moves when the choice becomes another one. ConsistentHashBalancer is one.
type StickyBalancer interface {
	LoadBalancer
	// Sticky marks the balancer.
	Sticky()
}

// Sticky says that a client keeps to the choice, see StickyBalancer.
func (b *ConsistentHashBalancer) Sticky() {}

// Usable tells whether an instance may be chosen: it is not known to be unhealthy.
func (s *ServiceInfo) Usable() bool { return usable(s) }
