package biz

import (
	"cmp"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/sony/gobreaker/v2"
)

// instanceKey tells instances apart.
type instanceKey struct{ service, address string }

// instance is one process that answers for a service. What is atomic changes while requests use it, and
// the breaker is safe for concurrent use; the rest is fixed when the instance is put on show.
type instance struct {
	instanceKey
	zone     string // whose clients it serves; empty: all
	endpoint Endpoint
	pool     *pool
	hash     uint64 // of the address
	rules    BreakerRules
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}]
	calls    atomic.Int64 // under way
	since    time.Time    // when it became known
	// lastReached is when a connection or a call last worked, in nanoseconds from then on.
	lastReached atomic.Int64
}

func (i *instance) reached() { i.lastReached.Store(int64(time.Since(i.since))) }

// outOfReach is for how long nothing has worked.
func (i *instance) outOfReach() time.Duration {
	return time.Since(i.since) - time.Duration(i.lastReached.Load())
}

// pool is what the instances of a service for one zone share: a bound of what is under way, so that a
// service that is slow holds up its own clients alone.
type pool struct {
	name  string // of the service and the zone, for people
	calls atomic.Int64
}

// poolName names what clients of a service and a zone share.
func poolName(service, zone string) string {
	switch {
	case zone == "":
		return service
	case service == "":
		return "zone-" + zone
	}
	return service + "/" + zone
}

// enter takes a place in the pool, unless most are taken.
func (p *pool) enter(most int) bool {
	if p.calls.Add(1) > int64(most) {
		p.calls.Add(-1)
		return false
	}
	return true
}

func (p *pool) leave() { p.calls.Add(-1) }

// newBreaker returns what gives an instance up when call after call finds it silent or out of reach,
// and tries it again with one call after a while. Counting has no time window: calls that time out may
// be longer than any.
func newBreaker(name string, rules BreakerRules, changed func(givenUp bool)) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 1, Timeout: rules.OpenFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(rules.Failures) },
		IsSuccessful: func(err error) bool { return err == nil || !silent(err) },
		IsExcluded:   func(err error) bool { return err != nil && KindOf(err) == KindCanceled },
		OnStateChange: func(_ string, from, to gobreaker.State) { // attempts that change nothing are no news
			if from == gobreaker.StateClosed || to == gobreaker.StateClosed {
				changed(to != gobreaker.StateClosed)
			}
		},
	})
}

// silent tells whether an error says that an instance was not reached or gave no sign of life. That it
// refuses, or fails at what it was asked, is a sign of life.
func silent(err error) bool { return KindOf(err) == KindUnavailable || errors.Is(err, ErrNotSent) }

// choice orders instances for one request.
type choice struct {
	leastBusy bool   // first of all
	key       uint64 // the same key gives the same order, of those that are equally busy
}

// best returns the one to ask among those that have not been asked yet, nil when there is none.
func (c choice) best(among []*instance, asked []*instance) (best *instance) {
	for _, i := range among {
		if !contains(asked, i) && (best == nil || c.before(i, best)) {
			best = i
		}
	}
	return best
}

// before compares by a weight that instance and key make together: when an instance comes or goes, the
// clients of all others stay where they are.
func (c choice) before(a, b *instance) bool {
	if c.leastBusy {
		if x, y := a.calls.Load(), b.calls.Load(); x != y {
			return x < y
		}
	}
	return cmp.Or(cmp.Compare(mix(c.key^a.hash), mix(c.key^b.hash)), cmp.Compare(a.address, b.address)) > 0
}

func contains(list []*instance, i *instance) bool {
	for _, other := range list {
		if other == i {
			return true
		}
	}
	return false
}

func hashOf(s string) uint64 { return xxhash.Sum64String(s) }

// mix spreads the bits of a hash over all of it (the last step of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
