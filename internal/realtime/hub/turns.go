package hub

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Turns knows the order of channels that keep nothing. It is safe for concurrent use, and called without locks
// held.
type Turns interface {
	// Turns returns the last place that was given on each of the channels. One that is absent has none, or
	// whoever numbers it is out of reach.
	Turns(ctx context.Context, channels []string) map[string]frame.Turn
	// Gap is what sessions are told that may have missed something of a channel, or may have seen it in another
	// order than others.
	Gap(channel string) *frame.Frame
}

// maxFormer is how many epochs a channel remembers that are over, so that nothing of them comes again.
const maxFormer = 4

// turns is where a channel stands that keeps nothing and whose publications are numbered by a node.
type turns struct {
	at     frame.Turn   // the place of the last one delivered
	former []frame.Turn // ends of epochs before, the oldest first
	ahead  []session.Delivery
	bytes  int
	reach  frame.Turn // how far the order goes, as somebody said
	since  time.Time  // when something was first missing
	timed  bool       // the channel will be called
	asked  bool       // how far the order goes
	// Before anything has come:
	base  frame.Turn // where the order stood when somebody here had begun to follow it
	fresh bool       // nothing had been numbered then
}

// over tells whether a place is in an epoch before, and not above its end.
func (t *turns) over(at frame.Turn) bool {
	return slices.ContainsFunc(t.former, func(f frame.Turn) bool { return f.Epoch == at.Epoch && at.Number <= f.Number })
}

// begin goes on with another place, of another epoch perhaps.
func (t *turns) begin(at frame.Turn) {
	if t.at.Epoch != "" && t.at.Epoch != at.Epoch {
		t.former = append(t.former, t.at)
		if len(t.former) > maxFormer {
			t.former = t.former[1:]
		}
	}
	t.at = at
}

// put keeps a delivery of the epoch. It is false when there is no room.
func (t *turns) put(d session.Delivery) bool {
	at, found := slices.BinarySearchFunc(t.ahead, d.Turn.Number, func(a session.Delivery, n int64) int { return cmp.Compare(a.Turn.Number, n) })
	switch {
	case found && d.By != nil:
		t.ahead[at] = d
	case found:
	case len(t.ahead) >= maxAhead || t.bytes+d.Bytes > maxAheadBytes:
		return false
	default:
		t.ahead = slices.Insert(t.ahead, at, d)
		t.bytes += d.Bytes
	}
	return true
}

// take removes what is in order behind the last place.
func (t *turns) take() []session.Delivery {
	n := 0
	for n < len(t.ahead) && t.ahead[n].Turn.Number == t.at.Number+1 {
		t.at = t.ahead[n].Turn
		t.bytes -= t.ahead[n].Bytes
		n++
	}
	taken := t.ahead[:n:n]
	if t.ahead = t.ahead[n:]; len(t.ahead) == 0 {
		t.ahead = nil
	}
	return taken
}

// has tells whether a place was passed.
func (t *turns) has(at frame.Turn) bool {
	return at.Epoch == t.at.Epoch && at.Number <= t.at.Number || t.over(at)
}

// first is the place before the first one that can be delivered, when d is the first that comes. What is not above
// the base may have been on its way when that was asked for.
func (t *turns) first(d session.Delivery) frame.Turn {
	at := d.Turn
	if d.Frame != nil {
		at.Number--
	}
	switch {
	case t.fresh:
		at.Number = 0
	case t.base.Epoch == at.Epoch:
		at.Number = min(at.Number, t.base.Number)
	case t.base.Epoch != "":
		at = t.base
	}
	return at
}

// answered takes an answer before anything has come: the first one is the base, and what another one is above
// that is missing.
func (t *turns) answered(now frame.Turn) {
	switch {
	case t.fresh && now.Epoch != "":
		t.begin(frame.Turn{Epoch: now.Epoch})
	case t.base.Epoch != "" && now != t.base:
		t.begin(t.base)
	default:
		t.base, t.fresh = now, now.Epoch == ""
	}
}

// turnLocked appends to out what can be delivered now that d has come.
func (ch *channel) turnLocked(out []session.Delivery, d session.Delivery) []session.Delivery {
	t := ch.turnsLocked()
	if t.at.Epoch == "" {
		t.begin(t.first(d))
	}
	switch {
	case t.has(d.Turn):
		ch.passedLocked(d)
	case d.Frame == nil:
		t.reach = d.Turn
		ch.missingLocked()
	case d.Turn.Epoch != t.at.Epoch || d.Turn.Number > t.at.Number+1 && !t.put(d):
		out = ch.gapLocked(out, true)
		t.begin(d.Turn)
		out = append(out, d)
	case d.Turn.Number == t.at.Number+1:
		t.at = d.Turn
		waited := t.take()
		ch.readers.metrics.reordered.Add(float64(len(waited)))
		out = append(append(out, d), waited...)
		t.since = time.Now() // of what is missing behind that, if something is
	default:
		ch.missingLocked()
	}
	return out
}

func (ch *channel) turnsLocked() *turns {
	if ch.turns == nil {
		ch.turns = &turns{}
	}
	return ch.turns
}

// missingLocked gives what is missing its time.
func (ch *channel) missingLocked() {
	t := ch.turns
	if !t.timed || len(t.ahead) <= 1 { // whatever the channel is to be called for, this is another hole
		t.since = time.Now()
	}
	if !t.timed {
		t.timed = true
		ch.readers.later(ch)
	}
}

// gapLocked appends to out that something is missing, and what had waited for that; with all, whatever waits.
func (ch *channel) gapLocked(out []session.Delivery, all bool) []session.Delivery {
	t := ch.turns
	for {
		ch.readers.metrics.told.Inc()
		if ch.readers.turns != nil {
			out = append(out, session.Delivery{Publication: &frame.Publication{Channel: ch.name, Frame: ch.readers.turns.Gap(ch.name)}})
		}
		if len(t.ahead) == 0 {
			return out
		}
		t.at.Number = t.ahead[0].Turn.Number - 1
		out = append(out, t.take()...)
		if !all {
			return out
		}
	}
}

// ripeTurnsLocked tells of what is missing yet when it has had its time.
func (ch *channel) ripeTurnsLocked(now time.Time) {
	t := ch.turns
	if t == nil || !t.timed {
		return
	}
	if now.Sub(t.since) < patience {
		ch.readers.later(ch)
		return
	}
	t.timed = false
	reach := t.reach
	t.reach = frame.Turn{}
	if len(t.ahead) == 0 && (reach.Epoch == "" || t.has(reach)) {
		return
	}
	waited := len(t.ahead) > 0
	ch.spreadOutLocked(ch.gapLocked(nil, false), nil)
	switch {
	case reach.Epoch != "" && !t.has(reach) && waited, len(t.ahead) > 0:
		t.reach = reach
		ch.missingLocked()
	case reach.Epoch != "" && !t.has(reach):
		t.begin(reach)
	}
}

// askTurnLocked has whoever numbers the channel asked how far that has come.
func (ch *channel) askTurnLocked() {
	if ch.readers.turns == nil {
		return
	}
	if t := ch.turnsLocked(); !t.asked {
		t.asked = true
		ch.readers.askTurn(ch)
	}
}

// beginTurn takes the channel in hand, to ask, and tells where it stands.
func (ch *channel) beginTurn() (before frame.Turn, ok bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.turns == nil || ch.gone {
		return frame.Turn{}, false
	}
	ch.turns.asked = false
	return ch.turns.at, true
}

// turned takes the answer to a question that was asked when the channel stood at before.
func (ch *channel) turned(before, now frame.Turn) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	t := ch.turns
	if t == nil || ch.gone {
		return
	}
	if t.at.Epoch == "" {
		t.answered(now)
		before = t.at
	}
	switch {
	case t.at.Epoch == "":
	case now.Epoch == "" && t.at == before:
		// Whoever has numbered it is gone or out of reach, and what he said last is not known.
		ch.spreadOutLocked(ch.gapLocked(nil, true), nil)
		t.begin(frame.Turn{})
		t.base, t.fresh = frame.Turn{}, true
	case now.Epoch == "" || t.has(now):
	case now.Epoch == t.at.Epoch || t.at == before: // else it is an old answer
		t.reach = now
		ch.missingLocked()
	}
}
