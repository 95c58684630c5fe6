package biz

import (
	"context"
	"sync"
	"time"
)

const (
	// watchEvery is how often leases are looked at, and so how late one may end, unless somebody is being
	// reached at that moment.
	watchEvery = time.Second
	// reachEvery is how often instances that registered without a lease are connected to.
	reachEvery = 5 * time.Second
	// reachTimeout bounds one such attempt.
	reachTimeout = 3 * time.Second
)

// Run ends registrations whose lease is over and those without one whose instance has been out of reach
// for too long, until ctx ends. It returns no error.
func (s *Services) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	looked := time.Now()
	shared := looked
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			s.expire(now)
			if now.Sub(shared) >= shareEvery {
				shared = now
				s.share(now)
			}
			if now.Sub(looked) >= reachEvery {
				looked = now
				s.reach(ctx)
			}
		}
	}
}

func (s *Services) expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.book.expired(now) {
		s.endLocked(k, "its lease is over")
	}
}

// reach connects to every instance that registered without a lease, and ends the registration of those
// that have been out of reach for too long.
func (s *Services) reach(ctx context.Context) {
	s.mu.Lock()
	var instances []*instance
	for _, k := range s.book.withoutLease() {
		instances = append(instances, s.instances[k])
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, i := range instances {
		wg.Go(func() {
			if s.caller.Reach(ctx, i.endpoint) == nil {
				i.reached()
			}
		})
	}
	wg.Wait()
	if ctx.Err() == context.Canceled {
		return // nothing was found out
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.book.withoutLease() {
		if s.instances[k].outOfReach() > s.rules.Unreachable {
			s.endLocked(k, "it has no lease, and is out of reach")
		}
	}
}

// InstanceState is an instance as it is now.
type InstanceState struct {
	Service    string // and its zone
	Address    string
	Registered bool   // by itself, perhaps besides
	Breaker    string // closed, half-open, open
	Calls      int64  // under way
}

// States returns all instances, in order of service and address.
func (s *Services) States() []InstanceState {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]InstanceState, 0, len(s.book))
	for _, k := range s.book.keys() {
		i := s.instances[k]
		states = append(states, InstanceState{
			Service: i.pool.name, Address: k.address, Registered: s.book[k].registered != nil,
			Breaker: i.breaker.State().String(), Calls: i.calls.Load(),
		})
	}
	return states
}
