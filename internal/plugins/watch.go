package plugins

import (
	"sync"
	"time"
)

// watch sees to it that the calls that one goroutine makes, one after another, end in time. Its timer
// stays armed for a call that is long over: it costs less to look again then than to set one for each.
type watch struct {
	mu      sync.Mutex
	current *call // nil: none
	timer   *time.Timer
	rings   time.Time // when the timer does; zero: it does not

	// now is the time as the goroutine has read it last, where it has done nothing since; zero: it has. It is the
	// goroutine's own.
	now time.Time
}

// time returns the time, and reads the clock only if the goroutine has not just done so.
func (w *watch) time() time.Time {
	now := w.now
	if w.now = (time.Time{}); now.IsZero() {
		return time.Now()
	}
	return now
}

func (w *watch) begin(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.current = c
	if w.rings.IsZero() || w.rings.After(c.ctx.at) {
		w.armLocked(c.ctx.at)
	}
}

func (w *watch) armLocked(at time.Time) {
	w.rings = at
	if w.timer == nil {
		w.timer = time.AfterFunc(time.Until(at), w.ring)
		return
	}
	w.timer.Reset(time.Until(at))
}

// end ends the watch over a call, and tells whether that was in time.
func (w *watch) end(c *call) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current != c {
		return false
	}
	w.current = nil
	return true
}

func (w *watch) ring() {
	w.mu.Lock()
	c := w.current
	switch {
	case c == nil:
		w.rings = time.Time{}
		w.mu.Unlock()
		return
	case time.Now().Before(c.ctx.at):
		w.armLocked(c.ctx.at)
		w.mu.Unlock()
		return
	}
	w.current, w.rings = nil, time.Time{}
	w.mu.Unlock()
	c.expire()
}

// close is called by the goroutine when it makes no more calls.
func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}
