package session

import (
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Deliver takes a publication of a channel that the session follows. It never blocks. It returns
// true when a writer has to be woken for the session, which the caller does, for many sessions at
// once.
func (s *Session) Deliver(sub *Subscription, p *frame.Publication) (wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Closed {
		return false
	}
	f, origin := s.choose(p)
	if p.Seq > 0 && (!sub.live || p.Frame == nil || p.Seq != sub.next) {
		if sub.live && p.Seq >= sub.next {
			s.fallBehindLocked(sub) // something before it never came
		}
		if !origin {
			return false
		}
		// The log shows a sender nothing of his own: the reply is sent out of its place, or never.
		return f != nil && s.addLocked(item{}, f, true)
	}
	if p.Seq == 0 {
		return f != nil && s.addLocked(item{}, f, true)
	}
	switch {
	case f == nil:
		sub.next++
		s.passLocked(sub, p.Seq)
		return false
	case !origin && s.full(f):
		s.fallBehindLocked(sub)
		return false
	}
	sub.next++
	return s.addLocked(item{sub: sub, seq: p.Seq, required: p.AckRequired && !origin}, f, origin)
}

// choose returns the frame that this session gets of a publication, nil for none, and whether the
// session is the one that sent it.
func (s *Session) choose(p *frame.Publication) (f *frame.Frame, origin bool) {
	switch {
	case p.Origin != "" && p.Origin == s.ID:
		if s.Replies {
			return p.Reply, true
		}
		return nil, true
	case p.From == "" || p.From != s.User:
		return p.Frame, false
	case p.NotToFrom:
		return nil, false
	case p.Own != nil:
		return p.Own, false
	}
	return p.Frame, false
}

// Reply queues a frame that answers the client. A client that does not read its answers is
// disconnected as slow.
func (s *Session) Reply(f *frame.Frame) {
	s.mu.Lock()
	wake := s.state != Closed && s.addLocked(item{}, f, true)
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

// Offered is what became of a frame that was offered.
type Offered uint8

// The outcomes of Offer, from worst to best.
const (
	Gone   Offered = iota // the session has ended
	Full                  // the queue is full; nothing was queued
	Kept                  // queued until the client comes back
	Queued                // queued for a connected client
)

// Offer queues a frame if there is room for it. Like Deliver it leaves waking a writer to the
// caller.
func (s *Session) Offer(f *frame.Frame) (o Offered, wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == Closed:
		return Gone, false
	case s.full(f):
		return Full, false
	case s.state == Detached:
		s.addLocked(item{}, f, true)
		return Kept, false
	}
	return Queued, s.addLocked(item{}, f, true)
}

func (s *Session) full(f *frame.Frame) bool {
	enc, err := f.In(s.Format)
	return err != nil || !s.queue.fits(enc.Size(), s.core.Config.QueueBytes)
}

// addLocked queues a frame. A frame that the log could bring back is left out by the caller when
// the queue is full; one that must be kept goes in all the same, as the last one: the connection
// is closed as slow, and a session that can resume has lost nothing. If the next one comes before
// the client does, the session is over and the client will be told to start anew.
func (s *Session) addLocked(it item, f *frame.Frame, keep bool) (wake bool) {
	enc, err := f.In(s.Format)
	if err != nil {
		s.core.Log.Error("a frame could not be encoded", "format", s.Format.Name, "error", err)
		s.core.Metrics.EncodeErrors.Inc()
		return false
	}
	if keep && !s.queue.fits(enc.Size(), s.core.Config.QueueBytes) {
		if s.queue.bytes > s.core.Config.QueueBytes {
			s.overflowLocked()
			return false
		}
		s.slowLocked()
	}
	it.enc = enc
	s.queue.push(it)
	return s.wakeLocked()
}

// wakeLocked tells whether a writer has to be woken for what is queued.
func (s *Session) wakeLocked() bool {
	if s.state != Active || s.greeting || s.writing || s.queue.unsent() == 0 {
		return false
	}
	s.writing = true
	return true
}

// slowLocked closes the connection of a client that reads too slowly.
func (s *Session) slowLocked() {
	if s.conn != nil {
		s.core.Metrics.disconnected(transport.Slow)
		s.conn.Close(transport.Slow)
	}
}

// overflowLocked makes a session that has lost a frame impossible to resume. Its owner, or the
// sweep, ends it.
func (s *Session) overflowLocked() {
	s.slowLocked()
	s.lost = true
}

// passLocked notes that the client gets nothing for a place in the log. With frames still waiting
// that would run ahead of them; the next one that is written makes up for it.
func (s *Session) passLocked(sub *Subscription, seq int64) {
	if s.queue.unsent() == 0 && !s.writing {
		s.writtenLocked(sub, seq)
	}
}

func (s *Session) fallBehindLocked(sub *Subscription) {
	sub.live = false
	s.behind = append(s.behind, sub)
	s.core.Metrics.FellBehind.Inc()
	s.catchUpLocked()
}

func (s *Session) notBehindLocked(sub *Subscription) {
	for i, b := range s.behind {
		if b == sub {
			s.behind = append(s.behind[:i], s.behind[i+1:]...)
			return
		}
	}
}
