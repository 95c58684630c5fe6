package hub

import (
	"errors"
	"math"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

const (
	// maxHole is how much is read for all sessions at once. Of more each reads for itself, at the pace of
	// its client: most queues would be full before the end.
	maxHole = 4096
	// maxFails is how often a channel's log is tried before each session is left to try for itself, which
	// is what closes its connection when that goes on for too long.
	maxFails = 3
)

// errAbsent is that the log does not have what was published.
var errAbsent = errors.New("hub: the log has no such publications")

// span is what is to be read of a channel's log: what is above after, up to upTo.
type span struct{ after, upTo int64 }

func (s span) open() bool { return s.upTo == math.MaxInt64 }

// beginLook takes the channel in hand, to ask how far its log reaches.
func (ch *channel) beginLook() (ok bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.window == nil || ch.gone {
		return false
	}
	ch.window.stage, ch.window.asked = reading, false
	return true
}

// looked takes how far the log reaches, or why that is not known.
func (ch *channel) looked(head int64, err error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	w := ch.window
	if w == nil || ch.gone {
		return
	}
	if err != nil {
		w.asked = true
		ch.failedLocked(err)
		return
	}
	w.reach = max(w.reach, head)
	ch.settleLocked()
}

// beginRead takes the channel in hand and tells what to read of its log, if anything is missing yet.
func (ch *channel) beginRead() (s span, ok bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	w := ch.window
	if w == nil || ch.gone {
		return span{}, false
	}
	w.stage = reading
	s = span{after: ch.head, upTo: w.missing(ch.head)}
	switch {
	case s.upTo-s.after > maxHole:
		ch.fallBackLocked()
		return span{}, false
	case w.asked:
		w.asked, s.upTo = false, math.MaxInt64
	case s.upTo <= s.after:
		ch.settleLocked()
		return span{}, false
	}
	return s, true
}

// read takes what the log has of a span and delivers it, with what waited for it.
func (ch *channel) read(s span, ps []*frame.Publication, err error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	w := ch.window
	if w == nil || ch.gone {
		return
	}
	if err == nil && len(ps) == 0 && !s.open() && w.missing(ch.head) > ch.head {
		w.reach = 0 // whoever said so was wrong, or too early
		err = errAbsent
	}
	if err != nil {
		w.asked = w.asked || s.open()
		ch.failedLocked(err)
		return
	}
	w.fails = 0
	out := make([]session.Delivery, 0, len(ps)+len(w.ahead))
	for _, p := range ps {
		if p.Seq <= ch.head {
			continue // it came meanwhile
		}
		if p.Seq != ch.head+1 {
			ch.failedLocked(ErrGone)
			break
		}
		ch.head = p.Seq
		out = append(append(out, session.Delivery{Publication: p, Logged: true}), ch.caughtLocked()...)
	}
	ch.spreadOutLocked(out, nil)
	if ch.window == w {
		w.asked = w.asked || s.open() && len(ps) > 0
		ch.settleLocked()
	}
}

// settleLocked has a reader go on where something is missing yet, in its turn.
func (ch *channel) settleLocked() {
	w := ch.window
	w.stage = patient
	if w.settled(ch.head) {
		ch.window = nil
		return
	}
	ch.dueLocked()
}

// failedLocked has a read tried again, or leaves it to the sessions.
func (ch *channel) failedLocked(err error) {
	w := ch.window
	w.fails++
	switch {
	case errors.Is(err, errAbsent) && w.settled(ch.head):
		ch.window = nil
	case errors.Is(err, ErrGone) || w.fails >= maxFails:
		ch.fallBackLocked()
	default:
		w.stage = patient
		ch.readers.again(ch)
	}
}

// fallBackLocked has each session read the log for itself. It goes on from there, or is told what is gone.
// Who waits for a reply has it.
func (ch *channel) fallBackLocked() {
	ch.readers.metrics.leftToSessions.Inc()
	w := ch.window
	ch.window = nil
	for _, sub := range ch.subs {
		sub.Missed()
	}
	ch.head = max(ch.head, w.reach)
	if n := len(w.ahead); n > 0 {
		ch.head = max(ch.head, w.ahead[n-1].Seq)
	}
	ch.spreadOutLocked(w.ahead, nil)
}
