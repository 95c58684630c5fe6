package session

import (
	"context"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// Source is the log behind a subscription: where it catches up from, and who wants to know how far
// the client got. Both methods are called without locks held, Page by one goroutine at a time.
type Source interface {
	// Page returns entries above after, in order, about limit of them at most. None means that after is
	// at or above the log's head.
	Page(ctx context.Context, after int64, limit int) ([]Entry, error)
	// Received is told that the client has everything up to seq. It must not block.
	Received(seq int64)
}

// Leading is a Source whose entries go before what is offered to the session: as long as the
// subscription is behind, that waits.
type Leading interface {
	Source
	// Missed is told of an entry that has expired before it was written. It is called with the session's
	// lock held, and must neither block nor call the session.
	Missed(seq int64)
}

// Entry is one place in a log.
type Entry struct {
	Seq         int64
	Frame       *frame.Frame // nil: this client does not get it
	AckRequired bool
	// Gap: the frame tells that what lies between the entry before and this place is gone.
	Gap bool
}

// Channel is what a subscription needs of the channel that it is on.
type Channel interface {
	// TryLive calls sub.Live with the channel's head while nothing can be published, and returns
	// what it returned.
	TryLive(sub *Subscription) bool
}

// Subscription ties a session to a channel. It is live, and then gets publications as they come,
// or behind, and then reads the log until it has reached the live edge. Whatever happens, the
// client sees a contiguous prefix of the log.
type Subscription struct {
	Session *Session
	Name    string // of the channel
	// Index is the subscription's place in the channel's list; it belongs to the channel.
	Index int

	channel Channel
	source  Source // nil: the channel keeps nothing
	leads   bool   // see Leading

	// Under Session.mu:
	live     bool
	next     int64   // the seq that it takes next
	taken    int64   // highest seq that was handed to the connection: the client may have it
	written  int64   // highest seq whose write has returned
	received int64   // highest seq that the client has
	required []int64 // written, and confirmed by an explicit ack only
	replied  []int64 // what the session sent while it was behind: the log has nothing new for it there
	dirty    bool    // listed in Session.dirty
	gone     bool    // the session has left the channel, or ended
}

// NewSubscription makes a subscription that continues after a place in the channel's log; with a
// nil source there is none, and it is live at once. Start it with Session.Start once the channel
// knows it.
func NewSubscription(s *Session, name string, channel Channel, source Source, after int64) *Subscription {
	_, leads := source.(Leading)
	return &Subscription{
		Session: s, Name: name, channel: channel, source: source, leads: leads,
		live: source == nil, next: after + 1, taken: after, written: after, received: after,
	}
}

// Put names the channel that a restored subscription is on. The channel calls it, under its lock, before
// anything is delivered.
func (sub *Subscription) Put(on Channel) { sub.channel = on }

// Logged tells whether the subscription's channel has a log.
func (sub *Subscription) Logged() bool { return sub.source != nil }

// Live makes the subscription live if it has everything up to the channel's head, and returns the last
// place that it has. The channel calls it, under its lock.
func (sub *Subscription) Live(head int64) (last int64, live bool) {
	s := sub.Session
	s.mu.Lock()
	defer s.mu.Unlock()
	last = sub.next - 1
	if head > last {
		return last, false
	}
	sub.live, sub.replied = true, nil
	return last, true
}

// Missed has the subscription read the log, up to its head, since live publications may not have come. One
// without a log goes on as it is.
func (sub *Subscription) Missed() {
	s := sub.Session
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.live && !sub.gone && sub.source != nil {
		s.fallBehindLocked(sub)
	}
}

// repliedLocked tells whether the session knows a place by the reply to it. It is asked in order.
func (sub *Subscription) repliedLocked(seq int64) bool {
	for len(sub.replied) > 0 && sub.replied[0] < seq {
		sub.replied = sub.replied[1:]
	}
	return len(sub.replied) > 0 && sub.replied[0] == seq
}

// confirm notes that the client has everything up to seq and returns the new place, or 0 if there
// is none. An explicit one may come before the write has returned; any other counts what was written
// before, and stops before what requires an ack.
func (sub *Subscription) confirmLocked(seq int64, explicit bool) int64 {
	if explicit {
		seq = min(seq, max(sub.taken, sub.written))
		for len(sub.required) > 0 && sub.required[0] <= seq {
			sub.required = sub.required[1:]
		}
	} else if seq = min(seq, sub.written); len(sub.required) > 0 {
		seq = min(seq, sub.required[0]-1)
	}
	if seq <= sub.received {
		return 0
	}
	sub.received = seq
	return seq
}
