package session

import (
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// held are frames that were offered to a session and go behind something that it does not have yet: the
// answer to its login, or what a leading subscription has to catch up with. They have no number before
// they are queued, and are no matter of the connection's format.
type held struct {
	frames []heldFrame
	bytes  int
}

type heldFrame struct {
	frame *frame.Frame
	interest
}

// holdLocked keeps a frame back, if there is room for it. While the client is not let in, one that is
// meant for connected clients alone is not kept: its client may never get as far.
func (s *Session) holdLocked(f *frame.Frame, connected bool, who interest) Offered {
	if s.barred && connected {
		return Gone
	}
	enc, err := f.In(s.format)
	if err != nil {
		s.cannotEncode(err)
		return Kept // nor could it be later
	}
	// As in the queue itself, the first frame fits whatever its size.
	first := s.queue.len() == 0 && len(s.held.frames) == 0
	if !first && s.queue.bytes+s.held.bytes+s.boundBytesLocked()+enc.Size() > s.core.queueBytes() {
		s.core.Load.Full()
		return Full
	}
	o := Queued
	if s.barred || s.state == Detached {
		o, who.settled = Kept, nil
	}
	s.held.add(heldFrame{f, who.taken()}, enc.Size())
	return o
}

func (h *held) add(f heldFrame, size int) {
	h.frames = append(h.frames, f)
	h.bytes += size
}

// expire drops frames that have expired and returns how many.
func (h *held) expire(now time.Time, format *frame.Format) (dropped int) {
	kept := h.frames[:0]
	for _, f := range h.frames {
		if !f.frame.Expired(now) {
			kept = append(kept, f)
			continue
		}
		dropped++
		f.end(Expired)
		if enc, err := f.frame.In(format); err == nil { // it was counted with the size that it has in the format
			h.bytes -= enc.Size()
		}
	}
	clear(h.frames[len(kept):])
	h.frames = kept
	return dropped
}

// Release answers a request as Answer does, and lets the client in: what was offered before is queued
// behind the answer, or behind what a leading subscription has to catch up with. See Options.Hold.
func (s *Session) Release(n uint64, reply *frame.Frame) {
	s.mu.Lock()
	s.barred = false
	wake := s.state != Closed && s.answerLocked(n, reply)
	wake = s.letGoLocked() || wake
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

// leadLocked has what is offered from now on wait for a leading subscription.
func (s *Session) leadLocked() {
	if s.held == nil {
		s.held = &held{}
	}
}

// letGoLocked queues what is held, once nothing has to go before it.
func (s *Session) letGoLocked() (wake bool) {
	if s.held == nil || s.barred || s.state == Closed {
		return false
	}
	for _, sub := range s.subs {
		if sub.leads && !sub.live {
			return false
		}
	}
	s.expireHeldLocked(time.Now())
	waiting := s.held
	s.held = nil
	for _, f := range waiting.frames {
		wake = s.queueLocked(f.frame, f.interest) || wake
	}
	return wake
}

// queueLocked queues a frame for which there was room.
func (s *Session) queueLocked(f *frame.Frame, who interest) (wake bool) {
	enc, err := f.In(s.format)
	if err != nil {
		s.cannotEncode(err)
		who.end(Gone)
		return false
	}
	s.queue.push(item{enc: enc})
	s.awaitLastLocked(who)
	return s.wakeLocked()
}

// OfferOpen does what Offer does with several frames, but to a session whose client is not let in yet it
// offers nothing, which is Gone. It adds what became of each frame to its counts, unless the session has ended.
func (s *Session) OfferOpen(frames []*frame.Frame, counts []Outcomes) (wake, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Closed {
		return false, true
	}
	for i, f := range frames {
		o, w := Gone, false
		if !s.barred {
			o, w = s.offerLocked(f, false, interest{})
		}
		counts[i][o]++
		wake = wake || w
	}
	return wake, false
}
