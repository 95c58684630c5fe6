package data

import (
	"context"
	"time"
)

// pace has work in the background, such as deleting, give way to whoever sends. A transaction has as many rows as
// take about aim, and none is begun before senders have had the writer for at least as long as the last one took, or
// for yield times as long if somebody was waiting for it. Zero values mean those of deleting; one goroutine uses it.
type pace struct {
	aim       time.Duration
	yield     int
	few, most int // rows

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

// rows is how many rows the next transaction may have.
func (p *pace) rows() int {
	if p.size == 0 {
		p.size = orDefault(p.few, fewRows)
	}
	return p.size
}

// took notes how long a transaction was, and whether somebody waited for its end.
func (p *pace) took(d time.Duration, busy bool) {
	p.last, p.busy = d, busy
	switch {
	case d > orDefault(p.aim, paceAim):
		p.size = max(orDefault(p.few, fewRows), p.rows()/2)
	case d < orDefault(p.aim, paceAim)/2:
		p.size = min(orDefault(p.most, mostRows), p.rows()*2)
	}
}

// rest waits until the next transaction may begin, or ctx ends.
func (p *pace) rest(ctx context.Context) error {
	d := p.last
	if p.busy {
		d *= time.Duration(orDefault(p.yield, paceYield))
	}
	return rest(ctx, min(d, time.Second))
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
