package data

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// flushInterval is how long a mark may wait in memory; flushRows how many are written in one
// transaction, so that messages do not wait long for it; maxMarks how many are kept when the store
// cannot take them. Beyond that marks are lost, which repeats messages and loses none.
const (
	flushInterval   = 500 * time.Millisecond
	flushRows       = 500
	maxMarks        = 1 << 20
	coalescerShards = 16
)

// coalescer gathers marks that only ever rise, such as cursors, until they are written. A mark stays
// visible here until its write was committed: whoever looks here first and into the database
// second misses nothing.
type coalescer[G, K comparable] struct {
	seed   maphash.Seed
	shards [coalescerShards]coalescerShard[G, K]
}

type coalescerShard[G, K comparable] struct {
	mu    sync.Mutex
	marks map[G][]mark[G, K]
	count int
}

// mark is how far key has come; marks of one group are looked up together.
type mark[G, K comparable] struct {
	group G
	key   K
	value int64
}

func newCoalescer[G, K comparable]() *coalescer[G, K] {
	c := &coalescer[G, K]{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].marks = make(map[G][]mark[G, K])
	}
	return c
}

// raise moves a mark forward, never back.
func (c *coalescer[G, K]) raise(m mark[G, K]) {
	s := c.shard(m.group)
	s.mu.Lock()
	defer s.mu.Unlock()
	group := s.marks[m.group]
	if i := indexOf(group, m.key); i >= 0 {
		group[i].value = max(group[i].value, m.value)
		return
	}
	if s.count >= maxMarks/coalescerShards {
		return
	}
	s.count++
	s.marks[m.group] = append(group, m)
}

// of returns the marks of a group.
func (c *coalescer[G, K]) of(group G) []mark[G, K] {
	s := c.shard(group)
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.marks[group])
}

// flush writes every mark that there is now, some at a time.
func (c *coalescer[G, K]) flush(write func([]mark[G, K]) error) error {
	for i := range c.shards {
		for part := range slices.Chunk(c.shards[i].all(), flushRows) {
			if err := write(part); err != nil {
				return err
			}
			c.shards[i].settle(part)
		}
	}
	return nil
}

// run flushes in intervals, and a last time when ctx ends. A flush that failed is tried again at
// the next interval; the error of the last one is returned.
func (c *coalescer[G, K]) run(ctx context.Context, flush func(context.Context) error) error {
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = flush(ctx) // counted and logged by flush
		case <-ctx.Done():
			return flush(context.WithoutCancel(ctx))
		}
	}
}

func (c *coalescer[G, K]) shard(group G) *coalescerShard[G, K] {
	return &c.shards[maphash.Comparable(c.seed, group)%coalescerShards]
}

func (s *coalescerShard[G, K]) all() []mark[G, K] {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]mark[G, K], 0, s.count)
	for _, group := range s.marks {
		all = append(all, group...)
	}
	return all
}

// settle forgets marks that were written and have not risen since.
func (s *coalescerShard[G, K]) settle(written []mark[G, K]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range written {
		group := s.marks[m.group]
		i := indexOf(group, m.key)
		if i < 0 || group[i].value != m.value {
			continue
		}
		s.count--
		if group = slices.Delete(group, i, i+1); len(group) == 0 {
			delete(s.marks, m.group)
			continue
		}
		s.marks[m.group] = group
	}
}

func indexOf[G, K comparable](group []mark[G, K], key K) int {
	return slices.IndexFunc(group, func(m mark[G, K]) bool { return m.key == key })
}
