package discovery

import (
	"slices"
	"sync"
)

// roster is what the balancers have in common: the instances of the last Update and those that
// failed.
type roster struct {
	mu       sync.Mutex
	services []*ServiceInfo
	cooling  cooldowns
}

// Update replaces the instances that Select falls back to.
func (r *roster) Update(services []*ServiceInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.services = slices.Clone(services)
}

// Failed says that the instance could not be reached just now, or was lost; see FailureReporter.
func (r *roster) Failed(service *ServiceInfo) {
	if service == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cooling.failed(service)
}

// candidatesLocked returns the instances to choose from.
func (r *roster) candidatesLocked(services []*ServiceInfo) []*ServiceInfo {
	if len(services) == 0 {
		return r.services
	}
	return services
}
