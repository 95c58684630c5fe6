package cluster

import (
	"context"
	"hash/maphash"
	"sync"
)

// inbox is what was received and waits to be handled: lanes with a goroutine each, so that one channel's
// messages keep their order. The first lane is for what is no channel's, such as who is there, so that
// a flood does not drown it.
type inbox struct {
	seed  maphash.Seed
	lanes []*inLane
}

// received is a message that waits.
type received struct {
	subject string
	data    []byte
}

type inLane struct {
	wake chan struct{} // holds one

	mu      sync.Mutex
	waiting []received
	bytes   int
	max     int
	dropped int
}

func newInbox(lanes, maxBytes int) *inbox {
	in := &inbox{seed: maphash.MakeSeed()}
	for range lanes + 1 {
		in.lanes = append(in.lanes, &inLane{wake: make(chan struct{}, 1), max: maxBytes / lanes})
	}
	return in
}

// push puts a message in its lane, or drops it.
func (in *inbox) push(subject string, data []byte, control bool) (ok bool) {
	lane := in.lanes[0]
	if !control {
		lane = in.lanes[1+maphash.String(in.seed, subject)%uint64(len(in.lanes)-1)]
	}
	return lane.push(received{subject, data})
}

func (l *inLane) push(r received) (ok bool) {
	l.mu.Lock()
	ok = l.bytes == 0 || l.bytes+r.cost() <= l.max
	if ok {
		l.waiting = append(l.waiting, r)
		l.bytes += r.cost()
	} else {
		l.dropped++
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return ok
}

// run handles what comes until ctx ends, and then what is left. Once what waited is handled, missed is told
// how many were dropped meanwhile.
func (l *inLane) run(ctx context.Context, handle func(received), missed func(n int)) {
	for {
		for {
			batch, dropped := l.take()
			for _, r := range batch {
				handle(r)
			}
			if dropped > 0 {
				missed(dropped)
			}
			if len(batch) == 0 {
				break
			}
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			if l.empty() {
				return
			}
		}
	}
}

func (l *inLane) take() (batch []received, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch, dropped = l.waiting, l.dropped
	l.waiting, l.bytes, l.dropped = nil, 0, 0
	return batch, dropped
}

func (l *inLane) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) == 0
}

func (in *inbox) size() (bytes int) {
	for _, l := range in.lanes {
		l.mu.Lock()
		bytes += l.bytes
		l.mu.Unlock()
	}
	return bytes
}

func (r received) cost() int { return len(r.data) + len(r.subject) + 64 }
