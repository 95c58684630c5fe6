package session

import (
	"slices"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// Bound ties a frame to the answer to a request of the client. The zero Bound ties it to none.
type Bound struct {
	Request uint64 // the client's number of it
	After   bool   // right behind the answer; otherwise immediately ahead of it
}

// RequestState is what a session knows of a request of its client.
type RequestState uint8

// The states.
const (
	Unseen   RequestState = iota // it has not come yet
	Open                         // it waits to be answered
	Answered                     // it was, or it will never come: its number was passed over
)

// requests are a session's requests as far as frames are bound to their answers. Numbers only go up.
type requests struct {
	asked uint64   // the highest number
	open  []uint64 // those without an answer, a few at a time
	bound []boundFrame
	bytes int // of the frames
}

// boundFrame waits for its answer. Like a held one it has no number yet, and is no matter of the
// connection's format.
type boundFrame struct {
	Bound
	frame *frame.Frame
	size  int
	since time.Time
	interest
}

func (r *requests) state(n uint64) RequestState {
	switch {
	case r == nil || n > r.asked:
		return Unseen
	case slices.Contains(r.open, n):
		return Open
	}
	return Answered
}

// take removes and returns the frames that a test picks, in the order in which they were offered.
func (r *requests) take(picks func(boundFrame) bool) (taken []boundFrame) {
	if r == nil || len(r.bound) == 0 {
		return nil
	}
	r.bound = slices.DeleteFunc(r.bound, func(b boundFrame) bool {
		if !picks(b) {
			return false
		}
		taken = append(taken, b)
		r.bytes -= b.size
		return true
	})
	if len(r.bound) == 0 {
		r.bound = nil
	}
	return taken
}

// boundBytesLocked is how much of the queue's room belongs to frames that wait for their answers.
func (s *Session) boundBytesLocked() int {
	if s.requests == nil {
		return 0
	}
	return s.requests.bytes
}

// Request returns what the session knows of a request.
func (s *Session) Request(n uint64) RequestState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests.state(n)
}

// Asked notes that the client has sent a request, which Answer or Release has to follow.
func (s *Session) Asked(n uint64) {
	s.mu.Lock()
	wake := false
	if s.state != Closed {
		if s.requests == nil {
			s.requests = &requests{}
		}
		s.requests.asked = max(s.requests.asked, n)
		s.requests.open = append(s.requests.open, n)
		passed := s.requests.take(func(b boundFrame) bool { return s.requests.state(b.Request) == Answered })
		wake = s.unboundLocked(passed)
	}
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

// Answer queues the reply to a request as Reply does, with the frames that are bound to it before and
// behind it: nothing comes between them.
func (s *Session) Answer(n uint64, reply *frame.Frame) {
	s.mu.Lock()
	wake := s.state != Closed && s.answerLocked(n, reply)
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

// Settle notes that nothing can be bound to the answer to a request any more, whenever that comes. What
// was bound to it goes at once.
func (s *Session) Settle(n uint64) {
	s.mu.Lock()
	wake := false
	if r := s.requests; r != nil && s.state != Closed {
		r.end(n)
		wake = s.unboundLocked(r.take(func(b boundFrame) bool { return b.Request == n }))
	}
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

// end notes that a request is not open any more.
func (r *requests) end(n uint64) {
	if r.open = slices.DeleteFunc(r.open, func(o uint64) bool { return o == n }); len(r.open) == 0 {
		r.open = nil
	}
}

func (s *Session) answerLocked(n uint64, reply *frame.Frame) (wake bool) {
	r := s.requests
	if r == nil {
		return s.keepLocked(item{}, reply)
	}
	r.end(n)
	before := r.take(func(b boundFrame) bool { return b.Request == n && !b.After })
	after := r.take(func(b boundFrame) bool { return b.Request == n })
	wake = s.queueBoundLocked(before)
	wake = s.keepLocked(item{}, reply) || wake
	return s.queueBoundLocked(after) || wake
}

// queueBoundLocked queues frames for which there was room when they were offered, unless they have expired since.
func (s *Session) queueBoundLocked(frames []boundFrame) (wake bool) {
	for _, b := range frames {
		if b.frame.Expired(time.Now()) {
			s.expiredLocked(b)
			continue
		}
		wake = s.queueLocked(b.frame, b.interest) || wake
	}
	return wake
}

// unboundLocked lets frames go that wait for no answer any more, as if they had never been bound.
func (s *Session) unboundLocked(frames []boundFrame) (wake bool) {
	if s.held == nil {
		return s.queueBoundLocked(frames)
	}
	for _, b := range frames {
		if s.barred {
			b.detach()
		}
		s.held.add(heldFrame{b.frame, b.interest}, b.size)
	}
	return false
}

// Unbind lets frames go whose request did not come within Config.BoundFor. It returns true when a
// writer has to be woken.
func (s *Session) Unbind(now time.Time) (wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests == nil || len(s.requests.bound) == 0 {
		return false
	}
	most := s.core.Config().BoundFor
	return s.unboundLocked(s.requests.take(func(b boundFrame) bool {
		return s.requests.state(b.Request) == Unseen && now.Sub(b.since) > most
	}))
}

// OfferBound does what Offer does with a frame that goes with the answer to a request. While there is
// none, the frame waits for it, and the outcome is Kept: until the answer comes, or until Unbind finds
// that the request does not. Once there is an answer, the frame is as any other. With settled, unless it
// is nil, somebody waits for the client to acknowledge it, as with OfferAwaited.
func (s *Session) OfferBound(f *frame.Frame, connected bool, b Bound, settled chan<- Offered, fate *Fate) (o Offered, wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := interest{settled, fate}
	if !s.Numbered || s.requests.state(b.Request) == Answered {
		return s.offerLocked(f, connected, who)
	}
	switch {
	case s.state == Closed, connected && (s.state == Detached || s.barred):
		return Gone, false
	case s.state == Detached:
		who.settled = nil // nobody is there to acknowledge it
	}
	return s.bindLocked(f, b, who), false
}

func (s *Session) bindLocked(f *frame.Frame, b Bound, who interest) Offered {
	enc, err := f.In(s.format)
	if err != nil {
		s.cannotEncode(err)
		return Kept // nor could it be later
	}
	if s.requests == nil {
		s.requests = &requests{}
	}
	waiting := s.requests.bytes
	if s.held != nil {
		waiting += s.held.bytes
	}
	first := s.queue.len() == 0 && waiting == 0
	if !first && s.queue.bytes+waiting+enc.Size() > s.core.Config().QueueBytes {
		return Full
	}
	s.requests.bound = append(s.requests.bound, boundFrame{Bound: b, frame: f, size: enc.Size(), since: time.Now(), interest: who.taken()})
	s.requests.bytes += enc.Size()
	if who.settled != nil {
		return Queued
	}
	return Kept
}
