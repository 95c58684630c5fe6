package data

import (
	"hash/maphash"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// cacheShards spreads the lock of a cache, which every send takes.
const cacheShards = 32

// cache keeps the most recently used values of a table in memory. It is never behind the database
// as far as this node's own commits go: whoever commits calls put, update or drop before anybody
// learns of the commit, and a load that was running meanwhile is not kept. Values are copied in
// and out and must hold nothing that is shared.
//
// Writes of other nodes are not seen: see memory.
type cache[K comparable, V any] struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard[K, V]
	// merge, if not nil, makes of the kept value and one that was loaded anew what is then kept.
	merge func(old, loaded V) V
}

type cacheShard[K comparable, V any] struct {
	mu    sync.Mutex
	kept  *simplelru.LRU[K, V]
	loads map[K]*cacheLoad
}

// cacheLoad is shared by all that are loading one key at the same time.
type cacheLoad struct {
	running int
	stale   bool // something was committed meanwhile
}

// newCache returns a cache of about size values.
func newCache[K comparable, V any](size int) (*cache[K, V], error) {
	c := &cache[K, V]{seed: maphash.MakeSeed()}
	for i := range c.shards {
		kept, err := simplelru.NewLRU[K, V](max(1, size/cacheShards), nil)
		if err != nil {
			return nil, err
		}
		c.shards[i].kept = kept
		c.shards[i].loads = make(map[K]*cacheLoad)
	}
	return c, nil
}

// get returns the value of k, by load if it is not kept. Errors are not kept.
func (c *cache[K, V]) get(k K, load func() (V, error)) (V, error) { return c.getIf(k, nil, load) }

// getIf is get where a kept value is of use only if usable, which may be nil, says so.
func (c *cache[K, V]) getIf(k K, usable func(*V) bool, load func() (V, error)) (V, error) {
	s := c.shard(k)
	v, l := s.begin(k, usable)
	if l == nil {
		return v, nil
	}
	v, err := load()
	return s.end(k, l, v, err, c.merge), err
}

// put keeps v, which was just committed.
func (c *cache[K, V]) put(k K, v V) { c.replace(k, func(V, bool) V { return v }) }

// replace keeps what change makes of the value, if one is kept: that was just committed.
func (c *cache[K, V]) replace(k K, change func(old V, kept bool) V) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outdateLocked(k)
	s.kept.Add(k, change(s.kept.Peek(k)))
}

// update changes the kept value as a commit changed the stored one.
func (c *cache[K, V]) update(k K, change func(*V)) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outdateLocked(k)
	if v, ok := s.kept.Get(k); ok {
		change(&v)
		s.kept.Add(k, v)
	}
}

// updateAll is update for every value.
func (c *cache[K, V]) updateAll(change func(*V)) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for k := range s.loads {
			s.outdateLocked(k)
		}
		for _, k := range s.kept.Keys() {
			if v, ok := s.kept.Peek(k); ok {
				change(&v)
				s.kept.Add(k, v)
			}
		}
		s.mu.Unlock()
	}
}

// peek returns the value if it is kept.
func (c *cache[K, V]) peek(k K) (V, bool) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.Peek(k)
}

// drop forgets the value, which was just deleted.
func (c *cache[K, V]) drop(k K) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outdateLocked(k)
	s.kept.Remove(k)
}

func (c *cache[K, V]) shard(k K) *cacheShard[K, V] {
	return &c.shards[maphash.Comparable(c.seed, k)%cacheShards]
}

// begin returns the kept value, or else a load that the caller has to end.
func (s *cacheShard[K, V]) begin(k K, usable func(*V) bool) (V, *cacheLoad) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.kept.Get(k); ok && (usable == nil || usable(&v)) {
		return v, nil
	}
	l := s.loads[k]
	if l == nil {
		l = &cacheLoad{}
		s.loads[k] = l
	}
	l.running++
	var none V
	return none, l
}

// end returns v as it is kept.
func (s *cacheShard[K, V]) end(k K, l *cacheLoad, v V, err error, merge func(old, loaded V) V) V {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.running--
	if l.stale {
		return v
	}
	if l.running == 0 {
		delete(s.loads, k)
	}
	if err != nil {
		return v
	}
	if old, ok := s.kept.Peek(k); ok && merge != nil {
		v = merge(old, v)
	}
	s.kept.Add(k, v)
	return v
}

// outdateLocked parts the loads that are running from those that begin after a commit.
func (s *cacheShard[K, V]) outdateLocked(k K) {
	if l := s.loads[k]; l != nil {
		l.stale = true
		delete(s.loads, k)
	}
}
