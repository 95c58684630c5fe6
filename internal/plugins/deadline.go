package plugins

import (
	"context"
	"sync"
	"time"
)

// deadline is the context of one call. Its guard ends it, who has a timer already; most plugins never
// ask for the channel, and then there is none.
type deadline struct {
	at time.Time

	mu   sync.Mutex
	done chan struct{}
	err  error
}

var _ context.Context = (*deadline)(nil)

func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
		if d.err != nil {
			close(d.done)
		}
	}
	return d.done
}

func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *deadline) Value(any) any { return nil }

// end ends the context, for the first reason that is given.
func (d *deadline) end(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	d.err = why
	if d.done != nil {
		close(d.done)
	}
}
