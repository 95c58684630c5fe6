package plugins

import (
	"sync"
	"time"
)

// patience is how long a message waits for a goroutine that looks at others, until it gets one of its
// own. Plugins that answer from memory are much faster; for them one goroutine does for many messages.
const patience = 200 * time.Microsecond

// crew is the goroutines that take messages past the interceptors. One of them stays when nothing waits,
// until stop.
type crew struct {
	mu          sync.Mutex
	first, last *passage // those that wait
	count       int
	working     int
	resting     chan<- struct{} // who waits for the next message hears here that it has come; nil: nobody
	stopped     bool
	timer       *time.Timer // looks after those that wait, while some do
	looking     bool
}

// take has p looked at by the next goroutine that is free.
func (c *crew) take(p *passage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil {
		c.first = p
	} else {
		c.last.next = p
	}
	c.last = p
	c.count++
	switch {
	case c.resting != nil:
		c.wakeLocked()
		return
	case c.working == 0:
		c.working++
		go c.work(nil)
		return
	}
	if !c.looking {
		c.looking = true
		c.lookLaterLocked()
	}
}

// wakeLocked has whoever rests work, who can be told once.
func (c *crew) wakeLocked() {
	c.working++
	c.resting <- struct{}{}
	c.resting = nil
}

func (c *crew) lookLaterLocked() {
	if c.timer == nil {
		c.timer = time.AfterFunc(patience, c.look)
		return
	}
	c.timer.Reset(patience)
}

// look doubles the crew if somebody has waited for too long.
func (c *crew) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil {
		c.looking = false
		return
	}
	if time.Since(c.first.since) >= patience {
		more := min(c.count, max(c.working, 1))
		c.working += more
		for range more {
			go c.work(nil)
		}
	}
	c.lookLaterLocked()
}

// work looks at one message after another, first at that which is given, if it is. When a plugin does
// not come back, the goroutine that has noticed goes on with the work, and this one is none of the crew.
func (c *crew) work(first func(w *watch) (mine bool)) {
	w, wake := &watch{}, make(chan struct{}, 1)
	defer w.close()
	if first != nil && !first(w) {
		return
	}
	for {
		p := c.pick(w, wake)
		if p == nil || !p.ask(0, w) {
			return
		}
	}
}

// pick returns the message to look at next. It is nil when there is none and somebody else waits for
// one: then whoever asks is no longer of the crew.
func (c *crew) pick(w *watch, wake chan struct{}) *passage {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.now = time.Time{} // the verdict has taken its time
	for c.first == nil {
		c.working--
		if c.resting != nil || c.stopped {
			return nil
		}
		c.resting = wake
		c.mu.Unlock()
		<-wake
		c.mu.Lock()
	}
	p := c.first
	c.first, p.next = p.next, nil
	c.count--
	return p
}

// stop ends who waits for a message. What comes later is looked at all the same.
func (c *crew) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.resting != nil {
		c.wakeLocked()
	}
}
