package discovery

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// cools measures how long a is passed over after a failure, to the second.
func cools(t *testing.T, b *RoundRobinBalancer) time.Duration {
	t.Helper()
	services := list("a", "b")
	b.Failed(services[0])
	start := time.Now()
	for !strings.Contains(turns(t, b, services, 2), "a") {
		time.Sleep(time.Second)
	}
	return time.Since(start)
}

func TestCooldownGrowsAndIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewRoundRobinBalancer()
		for _, seconds := range []float64{5, 10, 20, 40, 60, 60} {
			if got := cools(t, b); got.Seconds() != seconds {
				t.Errorf("passed over for %v, want %v s", got, seconds)
			}
		}
		time.Sleep(maxCooldown - time.Second)
		if got := cools(t, b); got != maxCooldown {
			t.Errorf("a second before it is forgotten: passed over for %v, want %v", got, maxCooldown)
		}
		time.Sleep(maxCooldown)
		if got := cools(t, b); got != firstCooldown {
			t.Errorf("after good behaviour: passed over for %v, want %v", got, firstCooldown)
		}
	})
}

func TestCooldownCountsAFailureOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewRoundRobinBalancer()
		services := list("a", "b")
		b.Failed(services[0])
		time.Sleep(4 * time.Second)
		b.Failed(services[0]) // by another goroutine that had chosen it before
		time.Sleep(time.Second)
		if got := turns(t, b, services, 2); !strings.Contains(got, "a") {
			t.Errorf("chose %s after 5 s, want a too", got)
		}
		if got := cools(t, b); got != 2*firstCooldown {
			t.Errorf("after the second failure passed over for %v, want %v", got, 2*firstCooldown)
		}
	})
}

func TestCooldownsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewRandomBalancer()
		for i := range 1000 {
			b.Failed(&ServiceInfo{Address: "10.0.0.1", Port: i})
			time.Sleep(time.Second)
		}
		if n := len(b.cooling.of); n > 2*int(firstCooldown/time.Second) {
			t.Errorf("%d cooldowns are remembered", n)
		}
		time.Sleep(2 * firstCooldown)
		turns(t, b, list("a"), 1)
		if n := len(b.cooling.of); n != 0 {
			t.Errorf("%d cooldowns are remembered when all are over", n)
		}
	})
}

// Turns go on among those that are left, and the one that comes back is not owed what it missed.
func TestWeightedRoundRobinWhileOneCools(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewWeightedRoundRobinBalancer()
		services := weights("4", "1", "1")
		turns(t, b, services, 6)
		b.Failed(services[0])
		if got := turns(t, b, services, 100); strings.Count(got, "b") != 50 || strings.Count(got, "c") != 50 {
			t.Errorf("while a cools chose %s", got)
		}
		time.Sleep(firstCooldown)
		if got := turns(t, b, services, 12); strings.Count(got, "a") != 8 {
			t.Errorf("when a is back chose %s, want a 8 times of 12", got)
		}
	})
}
