package tail

import (
	"context"
	"time"
)

// How long a tail waits before it looks for something new: the shortest time after there was something, a
// half more each time that there was nothing. A look that took long is followed by a wait so many times as
// long, so that nobody's curiosity keeps a node busy.
const (
	Shortest = 100 * time.Millisecond
	Longest  = time.Second
	restful  = 10
)

// pace is how often to look. The zero value is ready.
type pace struct {
	next   time.Duration
	looked time.Time // when the last look began
}

// look is called when a look begins.
func (p *pace) look() { p.looked = time.Now() }

// wait waits until it is time to look again; news tells whether there was something the last time.
func (p *pace) wait(ctx context.Context, news bool) error {
	p.next = min(p.next*3/2, Longest)
	if news || p.next == 0 {
		p.next = Shortest
	}
	return pause(ctx, max(p.next, min(restful*time.Since(p.looked), restful*Longest)))
}
