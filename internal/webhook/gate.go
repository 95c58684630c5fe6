package webhook

import (
	"math/rand/v2"
	"time"
)

// backoff is how long to wait after so many failures in a row: twice as long each time up to a bound, and a random part
// of the second half off, so that what failed together is not tried together.
func backoff(first, most time.Duration, failures int) time.Duration {
	d := first
	for i := 1; i < failures && d < most; i++ {
		d *= 2
	}
	d = min(d, most)
	return d - rand.N(d/2+1)
}

// patience is how many requests in a row the endpoint may be out of reach for before they come one at a time.
const patience = 3

// gate keeps requests from an endpoint that is out of reach, or asked to be left alone. One goroutine uses it.
type gate struct {
	first, most time.Duration
	failures    int       // in a row, of whatever room
	shut        time.Time // until then
}

// open tells whether another request may begin beside those that are on their way.
func (g *gate) open(now time.Time, flying int) bool {
	return !now.Before(g.shut) && (g.failures < patience || flying == 0)
}

// reached takes that the endpoint has answered for itself, well or not.
func (g *gate) reached() { g.failures = 0 }

// unreached takes that it has not, or wants to be left alone for a while.
func (g *gate) unreached(now time.Time, advice time.Duration) {
	g.failures++
	wait := advice
	if g.failures >= patience {
		wait = max(wait, backoff(g.first, g.most, g.failures-patience+1))
	}
	if until := now.Add(wait); until.After(g.shut) {
		g.shut = until
	}
}
