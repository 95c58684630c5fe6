package discovery

import (
	"maps"
	"time"
)

// How long an instance that failed is passed over: as long as it takes a client to have come back
// elsewhere, and at most so long that one that recovered is not forgotten.
const (
	firstCooldown = 5 * time.Second
	maxCooldown   = time.Minute
)

// A cooldown is the time for which an instance that failed is passed over.
type cooldown struct {
	length time.Duration
	until  time.Time
}

// forgotten is when an instance that did not fail again has a clean slate.
func (c cooldown) forgotten() time.Time { return c.until.Add(c.length) }

// cooldowns remembers the instances that failed. Time is read only while there are any.
type cooldowns struct {
	of    map[identity]cooldown
	empty time.Time // when the last of them is forgotten
}

// failed begins a cooldown. Reports of a failure during it are of the same failure, seen by
// others that had chosen the instance before.
func (c *cooldowns) failed(s *ServiceInfo) {
	now := time.Now()
	maps.DeleteFunc(c.of, func(_ identity, d cooldown) bool { return !now.Before(d.forgotten()) })
	id := s.identity()
	previous := c.of[id]
	if now.Before(previous.until) {
		return
	}
	next := cooldown{length: firstCooldown}
	if previous.length > 0 {
		next.length = min(2*previous.length, maxCooldown)
	}
	next.until = now.Add(next.length)
	if c.of == nil {
		c.of = make(map[identity]cooldown)
	}
	c.of[id] = next
	if next.forgotten().After(c.empty) {
		c.empty = next.forgotten()
	}
}

// among returns the filter for a choice among services: those that failed are passed over if
// there is another one.
func (c *cooldowns) among(services []*ServiceInfo) filter {
	if len(c.of) == 0 {
		return filter{}
	}
	f := filter{cooling: c.of, now: time.Now()}
	if !f.now.Before(c.empty) {
		clear(c.of)
		return filter{}
	}
	for _, s := range services {
		if f.takes(s) {
			return f
		}
	}
	return filter{}
}

// A filter says which instances may be chosen. The zero filter takes all that are usable.
type filter struct {
	cooling map[identity]cooldown
	now     time.Time
}

func (f filter) takes(s *ServiceInfo) bool {
	return usable(s) && (f.cooling == nil || !f.now.Before(f.cooling[s.identity()].until))
}
