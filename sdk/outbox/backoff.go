package outbox

import (
	"math/rand/v2"
	"sync"
	"time"
)

// backoff returns the wait behind the nth failure in a row, from 1 on: it doubles up to a limit and is random in its
// upper half, so that many who failed together do not come back together.
func (o Options) backoff(n int) time.Duration {
	d := o.FirstBackoff
	for i := 1; i < n && d < o.MaxBackoff; i++ {
		d *= 2
	}
	d = min(d, o.MaxBackoff)
	return d/2 + rand.N(d/2+1)
}

// gate holds up all calls of one kind while Hermod does not take them: it is tried by one lane at a time then, and by
// nobody between.
type gate struct {
	opts Options

	mu    sync.Mutex
	fails int
	until time.Time
}

// room is how many lanes may be taken, of most, when so many are in hand; and if it is none, when to ask again.
func (g *gate) room(now time.Time, inHand, most int) (lanes int, again time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.fails == 0:
		return most, time.Time{}
	case now.Before(g.until):
		return 0, g.until
	case inHand > 0: // the end of one of them is seen anyway
		return 0, time.Time{}
	}
	return 1, time.Time{}
}

// fail closes the gate for a while and says until when. What was under way when it closed does not count again.
func (g *gate) fail(now time.Time) (until time.Time, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fails == 0 || !now.Before(g.until) {
		g.fails++
		g.until = now.Add(g.opts.backoff(g.fails))
	}
	return g.until, g.fails == 1
}

// pass opens the gate: there was an answer.
func (g *gate) pass() (opened bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	opened = g.fails > 0
	g.fails = 0
	return opened
}
