package bench

import (
	"context"
	"sync"
)

// asking is clients who send business requests.
type asking struct {
	load *load
	all  []*client
}

func newAsking(l *load) *asking {
	a := &asking{load: l}
	for i := range l.plan.Connections {
		c := newClient(l, i, "", 0)
		c.lane = newLane(l, l.plan.InFlight)
		a.all = append(a.all, c)
	}
	return a
}

func (a *asking) drive(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, s := range schedules(a.load.plan.Rate, len(a.all)) {
		wg.Go(func() { a.all[i].drive(ctx, s, nil) })
	}
}

func (a *asking) settled() bool {
	for _, c := range a.all {
		if !c.lost() && c.lane.unanswered() > 0 {
			return false
		}
	}
	return true
}

func (a *asking) counts() (n Counts) {
	for _, c := range a.all {
		n.addLane(c.lane)
	}
	return n
}

func (a *asking) account(*Counts) {}

func (a *asking) close() error { return nil }
