package cluster

import "sync"

const (
	// A batch is what one Send is given.
	batchMessages = 512
	batchBytes    = 256 << 10
	// maxHoles bounds how many channels are remembered of which something was dropped; beyond, it is all.
	maxHoles = 256
)

// outbox is what waits to be sent: bounded in bytes, and never waited for. What it has no room for is
// dropped, and remembered, so that the others are told.
type outbox struct {
	wake chan struct{} // holds one

	mu      sync.Mutex
	waiting []Message
	bytes   int
	max     int
	closed  bool
	holes   map[string]struct{} // channels of which something was dropped
	allHole bool                // of all of them
}

func newOutbox(maxBytes int) *outbox {
	return &outbox{wake: make(chan struct{}, 1), max: maxBytes, holes: make(map[string]struct{})}
}

// push puts a message in line, or drops it and notes that the channel, if it has a name, has a hole.
func (o *outbox) push(m Message, channel string) (ok bool) {
	o.mu.Lock()
	ok = !o.closed && (o.bytes == 0 || o.bytes+cost(m) <= o.max)
	if ok {
		o.waiting = append(o.waiting, m)
		o.bytes += cost(m)
	} else if channel != "" {
		o.holeLocked(channel)
	}
	o.mu.Unlock()
	o.kick()
	return ok
}

// urgent puts a message in line that is small, rare and not to be dropped.
func (o *outbox) urgent(m Message) {
	o.mu.Lock()
	if !o.closed {
		o.waiting = append(o.waiting, m)
		o.bytes += cost(m)
	}
	o.mu.Unlock()
	o.kick()
}

func (o *outbox) kick() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// lost notes that whatever was sent may be lost.
func (o *outbox) lost() {
	o.mu.Lock()
	o.allHole = true
	clear(o.holes)
	o.mu.Unlock()
}

func (o *outbox) holeLocked(channel string) {
	switch {
	case o.allHole:
	case len(o.holes) >= maxHoles:
		o.allHole = true
		clear(o.holes)
	default:
		o.holes[channel] = struct{}{}
	}
}

// takeHoles returns the channels that have a hole, or that all have, and forgets it.
func (o *outbox) takeHoles() (channels []string, all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for channel := range o.holes {
		channels = append(channels, channel)
	}
	clear(o.holes)
	all, o.allHole = o.allHole, false
	return channels, all
}

// take returns the next batch, none when nothing waits.
func (o *outbox) take() []Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, bytes := 0, 0
	for n < len(o.waiting) && n < batchMessages && (n == 0 || bytes+cost(o.waiting[n]) <= batchBytes) {
		bytes += cost(o.waiting[n])
		n++
	}
	batch := o.waiting[:n:n]
	o.waiting = o.waiting[n:]
	if len(o.waiting) == 0 {
		o.waiting = nil // the batch has the array
	}
	o.bytes -= bytes
	return batch
}

// close has everything dropped that is pushed from now on.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.kick()
}

// holed tells whether the others have to be told something.
func (o *outbox) holed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.allHole || len(o.holes) > 0
}

// finished tells whether the outbox is closed and empty.
func (o *outbox) finished() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed && len(o.waiting) == 0
}

func (o *outbox) size() (messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting), o.bytes
}

func cost(m Message) int { return len(m.Data) + len(m.Subject) + 64 }
