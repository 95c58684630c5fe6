package cluster

import (
	"context"
	"sync"
	"time"
)

// followBatch is how many subjects a bus is asked to follow at once.
const followBatch = 1000

// interest is what this node follows. Whoever subscribes waits for a moment; one goroutine tells the bus,
// of as many channels at once as there are by then, so that a storm of subscriptions is a few calls.
type interest struct {
	subjects subjects
	wait     time.Duration // that a subscriber waits at most
	wake     chan struct{} // holds one

	mu     sync.RWMutex
	wishes map[string]*wish // by channel
	dirty  []string         // channels whose wish is not what the bus follows, or was not
	up     bool
}

// wish is what is to become of a channel.
type wish struct {
	wanted   bool
	asked    bool          // the bus was told of it
	followed bool          // and has done it, or does it when it connects
	late     bool          // somebody did not wait for it
	ready    chan struct{} // closed when it is followed; nil: nobody waits
}

func newInterest(s subjects, wait time.Duration) *interest {
	return &interest{subjects: s, wait: wait, wake: make(chan struct{}, 1), wishes: make(map[string]*wish)}
}

// has tells whether the node wants a channel.
func (i *interest) has(channel string) bool {
	i.mu.RLock()
	defer i.mu.RUnlock()
	w := i.wishes[channel]
	return w != nil && w.wanted
}

func (i *interest) count() (n int) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return len(i.wishes)
}

// add returns once messages of a channel are received, or when that takes too long.
func (i *interest) add(ctx context.Context, channel string) error {
	ready := i.wish(channel)
	if ready == nil {
		return nil
	}
	timer := time.NewTimer(i.wait)
	defer timer.Stop()
	select {
	case <-ready:
		return nil
	case <-timer.C:
		i.giveUp(channel)
		return nil
	case <-ctx.Done():
		i.giveUp(channel)
		return ctx.Err()
	}
}

// wish notes that a channel is wanted and returns what to wait for; nil is for nothing.
func (i *interest) wish(channel string) (ready chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := i.wishes[channel]
	if w == nil {
		w = &wish{}
		i.wishes[channel] = w
	}
	if !w.wanted {
		w.wanted = true
		i.changedLocked(channel)
	}
	if w.followed {
		return nil
	}
	if !i.up {
		w.late = true
		return nil
	}
	if w.ready == nil {
		w.ready = make(chan struct{})
	}
	return w.ready
}

// giveUp notes that somebody did not wait.
func (i *interest) giveUp(channel string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if w := i.wishes[channel]; w != nil {
		w.late = true
	}
}

// remove notes that a channel is not wanted any more.
func (i *interest) remove(channel string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := i.wishes[channel]
	if w == nil || !w.wanted {
		return
	}
	w.wanted = false
	i.changedLocked(channel)
}

func (i *interest) changedLocked(channel string) {
	i.dirty = append(i.dirty, channel)
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// connected notes whether the bus is.
func (i *interest) connected(up bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.up = up
	if up {
		return
	}
	for _, w := range i.wishes { // nobody waits for an outage to end
		w.late = w.late || w.ready != nil
		w.letGo()
	}
}

// letGo lets go those who wait.
func (w *wish) letGo() {
	if w.ready != nil {
		close(w.ready)
		w.ready = nil
	}
}

// run keeps the bus in step until ctx ends. missed is told of channels that are followed only now.
func (i *interest) run(ctx context.Context, bus Bus, missed func(channel string)) {
	for {
		select {
		case <-ctx.Done():
			i.connected(false)
			return
		case <-i.wake:
		}
		i.keepUp(ctx, bus, missed)
	}
}

// keepUp tells the bus what it has not been told yet.
func (i *interest) keepUp(ctx context.Context, bus Bus, missed func(channel string)) {
	for ctx.Err() == nil {
		follow, leave := i.changes()
		if len(follow)+len(leave) == 0 {
			return
		}
		if len(leave) > 0 {
			bus.Leave(i.names(leave))
		}
		if len(follow) > 0 {
			err := bus.Follow(ctx, i.names(follow))
			i.followed(follow, err == nil, missed)
		}
	}
}

func (i *interest) names(channels []string) []string {
	names := make([]string, len(channels))
	for k, channel := range channels {
		names[k] = i.subjects.channel(channel)
	}
	return names
}

// changes takes what the bus has to be told next.
func (i *interest) changes() (follow, leave []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := min(len(i.dirty), followBatch)
	for _, channel := range i.dirty[:n] {
		w := i.wishes[channel]
		switch {
		case w == nil: // named twice, and left the first time
		case w.wanted && !w.asked:
			w.asked = true
			follow = append(follow, channel)
		case !w.wanted:
			if w.asked {
				leave = append(leave, channel)
			}
			w.letGo()
			delete(i.wishes, channel)
		}
	}
	if i.dirty = i.dirty[n:]; len(i.dirty) == 0 {
		i.dirty = nil
	}
	return follow, leave
}

// followed notes what the bus has done; only run's goroutine forgets a wish. With a bus that is not connected, Missed of all channels follows.
func (i *interest) followed(channels []string, now bool, missed func(channel string)) {
	for _, channel := range channels {
		i.mu.Lock()
		w := i.wishes[channel]
		tell := w.late && now
		w.followed, w.late = true, false
		w.letGo()
		i.mu.Unlock()
		if tell {
			missed(channel)
		}
	}
}
