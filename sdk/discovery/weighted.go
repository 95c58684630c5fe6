package discovery

import (
	"math"
	"slices"
)

// WeightedRoundRobinBalancer chooses the instances in turn, each as often as its weight says (see
// ServiceInfo.Weight) and as evenly spread as that allows: 5, 1 and 1 give aabacaa. It passes
// over unhealthy instances, those that just failed, and those whose weight is refused.
//
// What an instance is owed belongs to its ID, so turns go on when a list has another order, and
// an instance that comes, goes or gets another weight neither takes all turns nor waits for one.
// It is safe for concurrent use.
type WeightedRoundRobinBalancer struct {
	roster
	weighing weighing
	// owed is what each instance of weighing is short of its share, in weights: one whole turn
	// is total.
	owed  []int64
	total int64 // the weights of those that took part in the last choice
}

// NewWeightedRoundRobinBalancer returns a balancer that knows no instance yet.
func NewWeightedRoundRobinBalancer() *WeightedRoundRobinBalancer {
	return &WeightedRoundRobinBalancer{}
}

// Update replaces the instances that Select falls back to.
func (b *WeightedRoundRobinBalancer) Update(services []*ServiceInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.services = slices.Clone(services)
	b.weighLocked(b.services)
}

// Refused returns a *WeightError for each instance that is passed over for its weight, joined, or
// nil. It is about the latest list given to Update or Select.
func (b *WeightedRoundRobinBalancer) Refused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.weighing.refused
}

// Select returns the instance of services, or of the last Update when services is empty, that is
// owed most. If all are refused for their weights, the error wraps ErrNoService and a
// *WeightError for each.
func (b *WeightedRoundRobinBalancer) Select(services []*ServiceInfo) (*ServiceInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if services = b.candidatesLocked(services); !b.weighing.of(services) {
		b.weighLocked(services)
	}
	filter := b.cooling.among(b.weighing.services)
	var total int64
	for i, s := range b.weighing.services {
		if filter.takes(s) {
			total += b.weighing.weights[i]
		}
	}
	if total == 0 {
		return nil, b.weighing.none()
	}
	b.rescaleLocked(total)
	best := -1
	for i, s := range b.weighing.services {
		if !filter.takes(s) {
			continue
		}
		b.owed[i] += b.weighing.weights[i]
		if best < 0 || b.owed[i] > b.owed[best] {
			best = i
		}
	}
	b.owed[best] -= total
	return b.weighing.services[best], nil
}

// weighLocked makes services those to choose from. Who stays keeps what he is owed.
func (b *WeightedRoundRobinBalancer) weighLocked(services []*ServiceInfo) {
	owed := make(map[identity]int64, len(b.owed))
	for i, s := range b.weighing.services {
		owed[s.identity()] = b.owed[i]
	}
	b.weighing = weigh(services)
	b.owed = make([]int64, len(b.weighing.services))
	for i, s := range b.weighing.services {
		b.owed[i] = owed[s.identity()]
	}
}

// rescaleLocked makes total the measure of a turn. What is owed in turns remains: when weights of
// millions become weights of a few, these would need millions of choices to catch up otherwise.
func (b *WeightedRoundRobinBalancer) rescaleLocked(total int64) {
	if total == b.total {
		return
	}
	if b.total > 0 {
		scale := float64(total) / float64(b.total)
		for i, o := range b.owed {
			b.owed[i] = int64(math.Round(float64(o) * scale))
		}
	}
	b.total = total
}
