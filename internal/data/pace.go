package data

import (
	"context"
	"time"
)

// pace has deleting give way to whoever sends. A transaction deletes as many rows as take about paceAim,
// and none is begun before senders have had the writer for at least as long as the last one took, or for
// paceYield times as long if somebody was waiting for it. The zero value is ready; one goroutine uses it.
type pace struct {
	size int
	last time.Duration
	busy bool
}

const (
	paceAim   = 15 * time.Millisecond
	paceYield = 2
	fewRows   = 200
	mostRows  = 2000
)

// rows is how many rows the next transaction may delete.
func (p *pace) rows() int {
	if p.size == 0 {
		p.size = fewRows
	}
	return p.size
}

// took notes how long a transaction was, and whether somebody waited for its end.
func (p *pace) took(d time.Duration, busy bool) {
	p.last, p.busy = d, busy
	switch {
	case d > paceAim:
		p.size = max(fewRows, p.rows()/2)
	case d < paceAim/2:
		p.size = min(mostRows, p.rows()*2)
	}
}

// rest waits until the next transaction may begin, or ctx ends.
func (p *pace) rest(ctx context.Context) error {
	d := p.last
	if p.busy {
		d *= paceYield
	}
	timer := time.NewTimer(min(d, time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
