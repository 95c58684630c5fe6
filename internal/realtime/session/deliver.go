package session

import (
	"slices"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Delivery is a publication on its way to the sessions on its channel.
type Delivery struct {
	*frame.Publication
	By      *Session // the one that sent it; nil: none of this node
	Replied bool     // By was among those that it was delivered to
	// Logged tells that it was read from the log. Sessions of the user that it is from, some of which know
	// of it already, read it there themselves.
	Logged bool
}

// Deliver takes publications of a channel that the session follows, in their order. It never blocks.
// It returns true when a writer has to be woken for the session, which the caller does, for many
// sessions at once. Only one goroutine at a time delivers the same publications.
func (s *Session) Deliver(sub *Subscription, ds []Delivery) (wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range ds {
		origin := ds[i].By == s
		if origin && !sub.gone { // else it has its reply as one that does not follow the channel
			ds[i].Replied = true
		}
		if ds[i].Logged && ds[i].From == s.User && ds[i].From != "" {
			s.ownLocked(sub, ds[i].Seq)
			continue
		}
		if s.deliverLocked(sub, ds[i].Publication, origin) {
			wake = true
		}
	}
	return wake
}

// ownLocked is deliverLocked for what is the user's own and was read from the log.
func (s *Session) ownLocked(sub *Subscription, seq int64) {
	if sub.live && !sub.gone && sub.source != nil && seq >= sub.next {
		s.fallBehindLocked(sub)
	}
}

// Late gives the session that sent a publication the reply to it, out of its place: that was passed, or
// cannot be waited for.
func (s *Session) Late(channel string, p *frame.Publication) {
	s.mu.Lock()
	wake := s.state != Closed && s.lateLocked(channel, p)
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

func (s *Session) lateLocked(channel string, p *frame.Publication) (wake bool) {
	if sub := s.findLocked(channel); sub != nil {
		return s.deliverLocked(sub, p, true)
	}
	f := s.choose(p, true)
	return f != nil && s.keepLocked(item{}, f)
}

func (s *Session) deliverLocked(sub *Subscription, p *frame.Publication, origin bool) (wake bool) {
	if sub.gone {
		return false
	}
	f := s.choose(p, origin)
	if p.Seq > 0 && (!sub.live || p.Frame == nil || p.Seq != sub.next) {
		if sub.live && p.Seq >= sub.next {
			s.fallBehindLocked(sub) // something before it never came
		}
		if !origin || f == nil {
			return false
		}
		// The log has no replies: it is sent out of its place, or never.
		sub.replied = append(sub.replied, p.Seq)
		return s.keepLocked(item{}, f)
	}
	if p.Seq == 0 {
		if p.Ephemeral != "" {
			return f != nil && s.asideTakesLocked(p.Ephemeral, f)
		}
		return f != nil && s.keepLocked(item{}, f)
	}
	if f == nil {
		sub.next++
		s.passLocked(sub, p.Seq)
		return false
	}
	it := item{sub: sub, seq: p.Seq, required: p.AckRequired && !origin}
	if origin {
		sub.next++
		return s.keepLocked(it, f)
	}
	wake, added := s.tryLocked(it, f)
	if !added {
		s.fallBehindLocked(sub)
		return false
	}
	sub.next++
	return wake
}

// choose returns the frame that this session gets of a publication, nil for none.
func (s *Session) choose(p *frame.Publication, origin bool) *frame.Frame {
	switch {
	case origin && !s.Replies:
		return nil
	case origin:
		return p.Reply
	case p.From == "" || p.From != s.User:
		return p.Frame
	case p.NotToFrom:
		return nil
	case p.Own != nil:
		return p.Own
	}
	return p.Frame
}

// Reply queues a frame that answers the client. A client that does not read its answers is
// disconnected as slow.
func (s *Session) Reply(f *frame.Frame) {
	s.mu.Lock()
	wake := s.state != Closed && s.keepLocked(item{}, f)
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

// ReplyAhead queues what was published in a channel with a seq if the session has not come there yet, and has it pass
// over that when it does. One that is live reads the log from then on, since the publication may come yet, or wait for
// what is before it. What has no seq, 0, waits for no log: the session has it already.
func (s *Session) ReplyAhead(channel string, seq int64, f *frame.Frame) {
	s.mu.Lock()
	sub := s.findLocked(channel)
	wake := false
	if sub != nil && sub.source != nil && seq >= sub.next && s.state != Closed {
		if sub.live {
			s.fallBehindLocked(sub)
		}
		sub.replied = append(sub.replied, seq)
		wake = s.keepLocked(item{}, f)
	}
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
}

// Offered is what became of a frame that was offered.
type Offered uint8

// The outcomes of an offer, from worst to best. Expired, Unsure and Acked are of OfferAwaited alone.
const (
	Gone    Offered = iota // the session has ended, or has no connection
	Expired                // awaited, and its time was over before it was written
	Full                   // the queue is full; nothing was queued
	Unsure                 // awaited, written, and the session ended before the client acknowledged it
	Kept                   // queued until the client comes back, or is let in
	Queued                 // queued for a connected client
	Acked                  // awaited, and acknowledged by the client
)

// Outcomes is how often each outcome came about.
type Outcomes [Acked + 1]int

// Offer queues a frame if there is room for it; if connected is set, only while the session has a
// connection. Like Deliver it leaves waking a writer to the caller. fate, unless it is nil, follows the
// frame if it is Kept.
func (s *Session) Offer(f *frame.Frame, connected bool, fate *Fate) (o Offered, wake bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offerLocked(f, connected, interest{fate: fate})
}

// offerLocked leaves a fate alone whose frame is on its way to a connected client, unless somebody waits
// for that.
func (s *Session) offerLocked(f *frame.Frame, connected bool, who interest) (o Offered, wake bool) {
	switch {
	case s.state == Closed || connected && s.state == Detached:
		return Gone, false
	case s.state == Detached:
		who.settled = nil
	case who.settled == nil && !s.barred:
		who = interest{}
	}
	if s.held != nil {
		return s.holdLocked(f, connected, who), false
	}
	before := s.queue.len()
	wake, added := s.tryLocked(item{}, f)
	switch {
	case !added:
		return Full, false
	case s.queue.len() == before && !who.none():
		return Gone, wake // it could not be encoded
	}
	s.awaitLastLocked(who.taken())
	if s.state == Detached {
		return Kept, false
	}
	return Queued, wake
}

// tryLocked queues a frame if there is room for it.
func (s *Session) tryLocked(it item, f *frame.Frame) (wake, added bool) {
	enc, err := f.In(s.format)
	if err != nil {
		s.cannotEncode(err)
		return false, true // nor could it be later
	}
	if !s.queue.fits(enc.Size(), s.core.queueBytes()-s.boundBytesLocked()) {
		s.core.Load.Full()
		return false, false
	}
	it.enc = enc
	s.queue.push(it)
	return s.wakeLocked(), true
}

// keepLocked queues a frame that nothing could bring back: a reply, a notice, a message of a room
// that keeps none. Half as much again as the queue holds is there for these alone, since a queue full
// of what the log brings back says little of a client. When that is full too, the frame goes in as
// the last one and the connection is closed as slow: a session that can resume has lost nothing. If
// another one comes before the client does, the session is over and the client will be told to start
// anew.
func (s *Session) keepLocked(it item, f *frame.Frame) (wake bool) {
	enc, err := f.In(s.format)
	if err != nil {
		s.cannotEncode(err)
		return false
	}
	full := s.fullLocked(enc.Size())
	if full {
		s.core.Load.Full()
		s.disconnectLocked(transport.Slow)
		if s.overfull {
			s.lost = true
			return false
		}
	}
	s.overfull = full
	it.enc, it.kept = enc, true
	s.queue.push(it)
	return s.wakeLocked()
}

// fullLocked tells whether there is no room for a frame that nothing could bring back.
func (s *Session) fullLocked(size int) bool {
	most := s.core.queueBytes()
	reserve := most / 2
	return !s.queue.fits(size, most) && s.queue.kept+size > reserve
}

func (s *Session) cannotEncode(err error) {
	s.core.Log.Error("a frame could not be encoded", "format", s.format.Name, "error", err)
	s.core.Metrics.EncodeErrors.Inc()
}

// wakeLocked tells whether a writer has to be woken for what is queued.
func (s *Session) wakeLocked() bool {
	if s.state != Active || s.greeting || s.writing || !s.pendingLocked() {
		return false
	}
	s.writing = true
	return true
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
	if sub.leads {
		s.leadLocked()
		s.behind = slices.Insert(s.behind, 0, sub)
	} else {
		s.behind = append(s.behind, sub)
	}
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
