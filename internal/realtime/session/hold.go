package session

import (
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// held are frames that were offered to a session whose client is not let in yet. They have no number
// before they are queued, and are no matter of the connection's format.
type held struct {
	frames []*frame.Frame
	bytes  int
}

// holdLocked keeps a frame until Release, if there is room for it. One that is meant for connected
// clients alone is not kept: its client may never get as far.
func (s *Session) holdLocked(f *frame.Frame, connected bool) Offered {
	if connected {
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
	s.held.frames = append(s.held.frames, f)
	s.held.bytes += enc.Size()
	return Kept
}

// expire drops frames that have expired and returns how many.
func (h *held) expire(now time.Time, format *frame.Format) (dropped int) {
	kept := h.frames[:0]
	for _, f := range h.frames {
		if !f.Expired(now) {
			kept = append(kept, f)
			continue
		}
		dropped++
		if enc, err := f.In(format); err == nil { // it was counted with the size that it has in the format
			h.bytes -= enc.Size()
		}
	}
	clear(h.frames[len(kept):])
	h.frames = kept
	return dropped
}

// Release answers a request as Answer does, queues behind it what was offered while the session held
// such frames back, and holds nothing from then on. See Options.Hold.
func (s *Session) Release(n uint64, reply *frame.Frame) {
	s.mu.Lock()
	s.expireHeldLocked(time.Now())
	waiting := s.held
	s.held = nil
	wake := s.state != Closed && s.answerLocked(n, reply)
	if waiting != nil && s.state != Closed {
		for _, f := range waiting.frames {
			wake = s.queueLocked(f) || wake
		}
	}
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

// queueLocked queues a frame for which there was room.
func (s *Session) queueLocked(f *frame.Frame) (wake bool) {
	enc, err := f.In(s.format)
	if err != nil {
		s.cannotEncode(err)
		return false
	}
	s.queue.push(item{enc: enc})
	return s.wakeLocked()
}

// OfferOpen does what Offer does, but to a session that holds frames back it offers nothing.
func (s *Session) OfferOpen(f *frame.Frame) (o Offered, wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		return Gone, false
	}
	return s.offerLocked(f, false)
}
