package discovery

import (
	"fmt"
	"slices"
)

// A weighing is a list of instances without those that are nil, mentioned before, or refused for
// their weight. It is kept until another list comes, so that weights are not parsed for every
// choice. The zero weighing is that of no instances.
type weighing struct {
	list     []*ServiceInfo // as it was given
	services []*ServiceInfo
	weights  []int64 // of services, in thousandths
	refused  error   // a *WeightError for each that was refused, joined
}

// weigh returns the weighing of services.
func weigh(services []*ServiceInfo) weighing {
	next := weighing{list: slices.Clone(services), refused: CheckWeights(services)}
	known := make(map[identity]bool, len(services))
	for _, s := range services {
		if s == nil || known[s.identity()] {
			continue
		}
		known[s.identity()] = true
		if weight, err := s.weight(); err == nil {
			next.services = append(next.services, s)
			next.weights = append(next.weights, weight)
		}
	}
	return next
}

// of tells whether w is of these services.
func (w *weighing) of(services []*ServiceInfo) bool { return slices.Equal(w.list, services) }

// none is the error of a choice that found nothing.
func (w *weighing) none() error {
	if w.refused == nil {
		return ErrNoService
	}
	return fmt.Errorf("%w: %w", ErrNoService, w.refused)
}
