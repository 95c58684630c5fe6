package session

import (
	"slices"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/transport"
)

const (
	// What may wait beside the queue of one session. With more names than that, what comes is dropped.
	maxAsides     = 64
	maxAsideBytes = 64 << 10
	// asideShare is the part of its queue from which on a session is told nothing besides.
	asideShare = 4
)

// What becomes of an ephemeral frame for a session that wants events.
const (
	asideQueued = iota
	asideConflated
	asideDropped
	asideOutcomes // how many there are
)

// asides are ephemeral frames that wait. They are written when the queue is empty, have no number and are
// forgotten with the connection, so that they hold up nothing, leave no gap and cost a session that has none
// nothing. Of those with one name only the last waits.
type asides struct {
	waiting []aside
	bytes   int
	writing bool // what is being written is nothing else
	tally   overload.Tally
}

type aside struct {
	name string
	enc  *frame.Encoded
}

// SetEvents says whether the client wants ephemeral frames from now on. Without them nothing waits.
func (s *Session) SetEvents(wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = wanted
	if !wanted {
		s.dropAsidesLocked()
	}
}

// Events tells whether the client wants ephemeral frames.
func (s *Session) Events() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events
}

// Aside offers the session an ephemeral frame. It is not taken while another one of that name waits, so that
// the caller can put what is new into the next one, nor by a session that is slow, away or does not want it.
func (s *Session) Aside(name string, f *frame.Frame) (taken bool) {
	s.mu.Lock()
	taken = s.events && s.asides.find(name) < 0 && s.roomAsideLocked(f)
	wake := taken && s.asideTakesLocked(name, f)
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
	return taken
}

// asideTakesLocked queues an ephemeral frame, puts it in the place of an older one, or drops it.
func (s *Session) asideTakesLocked(name string, f *frame.Frame) (wake bool) {
	if !s.events {
		return false
	}
	i := s.asides.find(name)
	if i < 0 && !s.roomAsideLocked(f) {
		s.core.Metrics.asides[asideDropped].Inc()
		return false
	}
	enc, err := f.In(s.format)
	if err != nil {
		s.cannotEncode(err)
		return false
	}
	if i >= 0 {
		s.core.Metrics.asides[asideConflated].Inc()
		s.asides.replace(i, enc)
		return false // a writer is on its way already
	}
	s.core.Metrics.asides[asideQueued].Inc()
	if s.asides == nil {
		s.asides = &asides{tally: s.core.Load.NewTally()}
	}
	s.asides.add(aside{name, enc})
	if s.greeting || s.writing {
		return false
	}
	s.writing = true
	return true
}

// roomAsideLocked tells whether the session has time for what it can do without.
func (s *Session) roomAsideLocked(f *frame.Frame) bool {
	behind := slices.ContainsFunc(s.behind, func(sub *Subscription) bool { return !sub.live })
	if s.state != Active || s.barred || behind || s.queue.bytes > s.core.queueBytes()/asideShare {
		return false
	}
	enc, err := f.In(s.format)
	return err != nil || s.asides.fits(enc.Size()) // what cannot be encoded is told where it is queued
}

// fillAsideLocked takes what waits beside an empty queue. Numbered frames are never in the same batch: an
// envelope numbers what is in it.
func (s *Session) fillAsideLocked(b *batch) bool {
	if s.asides == nil || len(s.asides.waiting) == 0 {
		return false
	}
	b.first = s.queue.lastSent() + 1
	for _, a := range s.asides.waiting {
		b.out = append(b.out, transport.Outgoing{Frame: a.enc})
	}
	s.asides.clear()
	s.asides.writing = true
	return true
}

// wroteAsideLocked follows every write.
func (s *Session) wroteAsideLocked() {
	if s.asides == nil {
		return
	}
	if s.asides.writing = false; len(s.asides.waiting) == 0 {
		s.asides = nil
	}
}

// asideLocked tells whether what is being written is nothing but ephemeral.
func (s *Session) asideLocked() bool { return s.asides != nil && s.asides.writing }

// pendingLocked tells whether anything waits to be written.
func (s *Session) pendingLocked() bool {
	return s.queue.unsent() > 0 || s.asides != nil && len(s.asides.waiting) > 0
}

// dropAsidesLocked forgets what waits.
func (s *Session) dropAsidesLocked() {
	if s.asides == nil {
		return
	}
	s.core.Metrics.asides[asideDropped].Add(float64(len(s.asides.waiting)))
	s.asides.clear()
	if !s.asides.writing { // else it is needed to know what the write is of
		s.asides = nil
	}
}

func (a *asides) find(name string) int {
	if a == nil {
		return -1
	}
	return slices.IndexFunc(a.waiting, func(w aside) bool { return w.name == name })
}

func (a *asides) fits(size int) bool {
	return a == nil || len(a.waiting) < maxAsides && (len(a.waiting) == 0 || a.bytes+size <= maxAsideBytes)
}

func (a *asides) add(w aside) {
	a.waiting = append(a.waiting, w)
	a.bytes += w.enc.Size()
	a.tally.Now(a.bytes)
}

func (a *asides) replace(i int, enc *frame.Encoded) {
	a.bytes += enc.Size() - a.waiting[i].enc.Size()
	a.waiting[i].enc = enc
	a.tally.Now(a.bytes)
}

func (a *asides) clear() {
	clear(a.waiting)
	a.waiting, a.bytes = a.waiting[:0], 0
	a.tally.Now(0)
}
