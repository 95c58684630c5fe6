package hub

import (
	"sync"
	"sync/atomic"

	"github.com/game-im/hermod/internal/realtime/session"
)

const (
	// crowd is the number of sessions from which on publications wait for the channel's turn. Going
	// to so many takes long enough that others come meanwhile, and then one visit serves them all;
	// with fewer, waiting would be the longer part.
	crowd = 32
	// maxWaiting bounds what waits in a channel. Whoever publishes more spreads it himself.
	maxWaiting = 256
)

// channel is one channel's subscribers on this node. Its lock is what puts the publications of a
// channel into one order for everybody.
type channel struct {
	name    string
	waker   Waker
	readers *readers
	kept    bool // the channel's log has what was published, so that it can be put in order here

	mu     sync.Mutex
	subs   []*session.Subscription
	head   int64   // highest seq that came by, or on a channel that is kept, up to which all was delivered
	known  bool    // on a channel that is kept: head is
	gone   bool    // taken off the hub
	window *window // nil: nothing is missing
	turns  *turns  // nil: nothing was numbered

	line atomic.Pointer[line] // nil: the channel has never had a crowd
}

// line is what was published and waits to be spread.
type line struct {
	mu      sync.Mutex
	waiting []session.Delivery
	called  bool // the channel's turn will come

	// Under channel.mu, so that spreading makes no garbage:
	spare []session.Delivery
	wake  []*session.Session
}

// join puts a publication in line. call tells that the channel has to be put in line itself, and
// full that no more may wait.
func (l *line) join(d session.Delivery) (call, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, d)
	call = !l.called
	l.called = true
	return call, len(l.waiting) >= maxWaiting
}

// takeLocked returns what waits. It is the caller's until it is given back.
func (l *line) takeLocked() []session.Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	ds := l.waiting
	l.waiting, l.spare = l.spare[:0], nil
	l.called = false
	return ds
}

func (l *line) giveBackLocked(ds []session.Delivery) {
	clear(ds)
	l.spare = ds
}

// deliver brings a publication to the sessions on the channel, now or in its turn.
func (ch *channel) deliver(d session.Delivery) {
	l := ch.line.Load()
	if l == nil {
		ch.mu.Lock()
		defer ch.mu.Unlock()
		ch.spreadLocked() // a crowd may have come in between
		one := [1]session.Delivery{d}
		ch.handOutLocked(one[:], nil)
		return
	}
	call, full := l.join(d)
	switch {
	case full:
		ch.Spread()
	case call:
		ch.waker.Fan(ch)
	}
}

// deliverAll does what deliver does, for several.
func (ch *channel) deliverAll(ds []session.Delivery) {
	if ch.line.Load() != nil {
		for i := range ds {
			ch.deliver(ds[i])
		}
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.spreadLocked() // a crowd may have come in between
	ch.handOutLocked(ds, nil)
}

// Spread implements session.Fanout.
func (ch *channel) Spread() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.spreadLocked()
}

func (ch *channel) spreadLocked() {
	l := ch.line.Load()
	if l == nil {
		return
	}
	if ds := l.takeLocked(); len(ds) > 0 {
		defer l.giveBackLocked(ds)
		l.wake = ch.handOutLocked(ds, l.wake)
		clear(l.wake)
	}
}

// handOutLocked delivers publications, those of a log in its order; see spreadOutLocked.
func (ch *channel) handOutLocked(ds []session.Delivery, wake []*session.Session) []*session.Session {
	return ch.spreadOutLocked(ch.orderLocked(ds), wake)
}

// spreadOutLocked delivers publications and wakes the sessions that they are for, of which it makes a
// list in wake's place.
func (ch *channel) spreadOutLocked(ds []session.Delivery, wake []*session.Session) []*session.Session {
	wake = wake[:0]
	if len(ds) == 0 {
		return wake
	}
	for _, sub := range ch.subs {
		if !sub.Session.Deliver(sub, ds) {
			continue
		}
		if wake == nil {
			wake = make([]*session.Session, 0, len(ch.subs))
		}
		wake = append(wake, sub.Session)
	}
	ch.waker.Wake(wake...)
	for i := range ds {
		reply(&ds[i])
	}
	return wake
}

func (ch *channel) addLocked(sub *session.Subscription) {
	sub.Index = len(ch.subs)
	ch.subs = append(ch.subs, sub)
	if len(ch.subs) >= crowd && ch.line.Load() == nil {
		ch.line.Store(&line{})
	}
}

func (ch *channel) removeLocked(sub *session.Subscription) {
	end := len(ch.subs) - 1
	ch.subs[sub.Index] = ch.subs[end]
	ch.subs[sub.Index].Index = sub.Index
	ch.subs[end] = nil
	ch.subs = ch.subs[:end]
}

// TryLive implements session.Channel.
func (ch *channel) TryLive(sub *session.Subscription) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.spreadLocked()
	last, live := sub.Live(ch.head)
	if live && ch.kept && !ch.known {
		ch.knowLocked(last)
	}
	return live
}
