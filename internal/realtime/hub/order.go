package hub

import (
	"time"

	"github.com/game-im/hermod/internal/realtime/session"
)

// orderLocked returns what of these publications can be delivered now, each right behind the one before
// it in the log. What came before its turn waits in the channel's window, and what came twice is dropped.
// Where all is in order, which it is on a node that is alone, this costs a comparison.
//
// As long as the channel's head is not known nobody follows it live, so that nothing has to wait.
func (ch *channel) orderLocked(ds []session.Delivery) []session.Delivery {
	if ch.gone {
		return ds // for the replies
	}
	for i := range ds {
		switch seq := ds[i].Seq; {
		case seq == 0 && ds[i].Turn.Number == 0:
		case seq > 0 && !ch.kept: // each session cares for the order itself
			ch.head = max(ch.head, seq)
		case seq > 0 && seq == ch.head+1 && ch.known && ch.window == nil && ds[i].Frame != nil:
			ch.head = seq
		case seq > 0 && !ch.known:
			ch.knowLocked(seq)
		default:
			return ch.sortLocked(ds, i)
		}
	}
	return ds
}

// sortLocked is orderLocked for publications of which those before from are in order.
func (ch *channel) sortLocked(ds []session.Delivery, from int) []session.Delivery {
	out := append(make([]session.Delivery, 0, len(ds)), ds[:from]...)
	for _, d := range ds[from:] {
		switch {
		case d.Seq == 0 && d.Turn.Number > 0:
			out = ch.turnLocked(out, d)
		case d.Seq == 0:
			out = append(out, d)
		case !ch.kept:
			ch.head = max(ch.head, d.Seq)
			out = append(out, d)
		case !ch.known:
			ch.knowLocked(d.Seq)
			out = append(out, d)
		case d.Seq <= ch.head:
			ch.passedLocked(d)
		case d.Seq == ch.head+1 && d.Frame != nil:
			ch.head = d.Seq
			waited := ch.caughtLocked()
			ch.readers.metrics.reordered.Add(float64(len(waited)))
			out = append(append(out, d), waited...)
			ch.closeLocked()
		default:
			ch.waitLocked(d)
		}
	}
	return out
}

// knowLocked notes from where on the channel is in order.
func (ch *channel) knowLocked(head int64) {
	ch.known, ch.head = true, head
	if ch.window != nil {
		ch.dueLocked()
	}
}

// passedLocked drops a publication whose place was passed. The session that sent it has its reply yet.
func (ch *channel) passedLocked(d session.Delivery) {
	if d.Frame != nil { // else it only repeats how far the log reaches
		ch.readers.metrics.duplicates.Inc()
	}
	if d.By != nil {
		d.By.Late(ch.name, d.Publication)
	}
}

// caughtLocked returns what waited and has its turn now.
func (ch *channel) caughtLocked() []session.Delivery {
	if ch.window == nil {
		return nil
	}
	waited := ch.window.take(ch.head)
	ch.head += int64(len(waited))
	return waited
}

// closeLocked ends the waiting if it has no reason any more. What a reader has he closes himself.
func (ch *channel) closeLocked() {
	if w := ch.window; w != nil && w.stage == patient && w.settled(ch.head) {
		ch.window = nil
	}
}

// waitLocked keeps a publication that came before its turn. What there is no room for is read from the log
// with what is missing, and the session that sent it reads for itself, behind its reply.
func (ch *channel) waitLocked(d session.Delivery) {
	if ch.window == nil {
		ch.window = &window{}
		ch.readers.later(ch)
	}
	w := ch.window
	if d.Frame == nil {
		w.reach = max(w.reach, d.Seq)
		return
	}
	if w.put(d) {
		return
	}
	w.reach = max(w.reach, d.Seq)
	if d.By != nil {
		d.By.Late(ch.name, d.Publication)
	}
	ch.dueLocked()
}

// askLocked has the log asked how far it reaches. Before the head is known that would be no help: who is
// behind asks himself, and once he is not it is asked again, since he may have been a moment too early.
func (ch *channel) askLocked() {
	if ch.window == nil {
		ch.window = &window{}
	}
	ch.window.asked = true
	if ch.known {
		ch.dueLocked()
	}
}

// dueLocked has what is missing read without waiting any longer.
func (ch *channel) dueLocked() {
	if ch.window.stage == patient {
		ch.window.stage = due
		ch.readers.now(ch, ch.window.asked)
	}
}

// ripe is called when the channel has been patient for long enough.
func (ch *channel) ripe() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.gone {
		return
	}
	if ch.window != nil && ch.known {
		ch.dueLocked()
	}
	ch.ripeTurnsLocked(time.Now())
}

// abandonLocked ends the waiting on a channel that nobody follows any more.
func (ch *channel) abandonLocked() {
	if w := ch.window; w != nil {
		replyAll(w.ahead)
		ch.window = nil
	}
	if t := ch.turns; t != nil {
		replyAll(t.ahead)
		ch.turns = nil
	}
}

func replyAll(ds []session.Delivery) {
	for i := range ds {
		reply(&ds[i])
	}
}
