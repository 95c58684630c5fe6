package discovery

import (
	"crypto/rand"
	"math"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// ConsistentHashBalancer chooses by a key: the same key finds the same instance, in every process
// that has the same instances, in whatever order. An instance that comes or goes moves its own
// share of the keys and no others; shares are in proportion to the weights (see
// ServiceInfo.Weight). Keys of an instance that is unhealthy, just failed or has a refused weight
// are spread over the others until it is back.
//
// It is weighted rendezvous hashing: each instance draws a number from the key and the best draw
// wins, so there is no ring to keep. A choice takes time in proportion to the number of instances.
// It is safe for concurrent use.
type ConsistentHashBalancer struct {
	// Key is what Select chooses by, such as a user's ID. It is set before the first use.
	// Empty: a random key of this balancer's own, so that one client stays on one instance while
	// clients are spread.
	Key string

	roster
	weighing weighing
	hashes   []uint64 // of the Keys of the instances of weighing
	own      string   // stands in for Key
}

// NewConsistentHashBalancer returns a balancer that knows no instance yet.
func NewConsistentHashBalancer() *ConsistentHashBalancer {
	return &ConsistentHashBalancer{own: rand.Text()}
}

// Update replaces the instances that Select and SelectByKey fall back to.
func (b *ConsistentHashBalancer) Update(services []*ServiceInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.services = slices.Clone(services)
	b.weighLocked(b.services)
}

// Refused returns a *WeightError for each instance that is passed over for its weight, joined, or
// nil. It is about the latest list given to Update, Select or SelectByKey.
func (b *ConsistentHashBalancer) Refused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.weighing.refused
}

// Select is SelectByKey with the balancer's Key, or with its own one if that is empty.
func (b *ConsistentHashBalancer) Select(services []*ServiceInfo) (*ServiceInfo, error) {
	if b.Key != "" {
		return b.SelectByKey(services, b.Key)
	}
	return b.SelectByKey(services, b.own)
}

// SelectByKey returns the instance of services, or of the last Update when services is empty, to
// which the key belongs. Any key will do, also an empty one. If all instances are refused for
// their weights, the error wraps ErrNoService and a *WeightError for each.
func (b *ConsistentHashBalancer) SelectByKey(services []*ServiceInfo, key string) (*ServiceInfo, error) {
	hash := xxhash.Sum64String(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	if services = b.candidatesLocked(services); !b.weighing.of(services) {
		b.weighLocked(services)
	}
	filter := b.cooling.among(b.weighing.services)
	best, shortest := -1, math.Inf(1)
	for i, s := range b.weighing.services {
		if !filter.takes(s) {
			continue
		}
		// Equal draws happen once in 2^53 or so; then the hash decides, not the order.
		d := draw(hash, b.hashes[i], b.weighing.weights[i])
		if best < 0 || d < shortest || d == shortest && b.hashes[i] < b.hashes[best] {
			best, shortest = i, d
		}
	}
	if best < 0 {
		return nil, b.weighing.none()
	}
	return b.weighing.services[best], nil
}

func (b *ConsistentHashBalancer) weighLocked(services []*ServiceInfo) {
	b.weighing = weigh(services)
	b.hashes = make([]uint64, len(b.weighing.services))
	for i, s := range b.weighing.services {
		b.hashes[i] = xxhash.Sum64String(s.Key())
	}
}

// draw returns the waiting time of an instance for a key, exponentially distributed with the
// weight as its rate: the shortest of several is that of each instance with a probability in
// proportion to its weight, and does not depend on who else waits.
//
// Processes of different versions must agree on it, so it never changes.
func draw(key, instance uint64, weight int64) float64 {
	uniform := float64(mix(key^bits.RotateLeft64(instance, 32))>>11+1) / (1 << 53) // in (0, 1]
	return -math.Log(uniform) / float64(weight)
}

// mix is the finalizer of splitmix64: every bit of x changes about half of the result's.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
