package session

import (
	"fmt"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Carried is all that makes a session go on with another core: what Take leaves of it, and Restore makes one
// of again. Frames are as they go to the client, without their numbers.
type Carried struct {
	Options          // without Protocol and Follow; of Hold it tells whether the client is not let in yet
	Follows bool     // the rooms that its user joins
	Names   []string // older ids by which the session is known
	Started time.Time
	Expiry  time.Time // of the token; zero: none
	Ticket  string
	Spent   string
	Acked   uint64 // number of the last frame that the client has
	Reached uint64 // up to it, it may have the frames
	Queue   []CarriedFrame
	Held    []CarriedFrame
	Bound   []CarriedFrame
	Places  []CarriedPlace
}

// CarriedFrame is a frame of a session's queue, one that is held back, or one that is bound to an answer.
type CarriedFrame struct {
	Body     []byte
	Expires  time.Time
	Channel  string // in whose log it has the place Seq; empty: in none
	Seq      int64
	Required bool
	Kept     bool
	Bound    Bound
}

// CarriedPlace is how far a session has come in a channel.
type CarriedPlace struct {
	Channel  string
	Logged   bool  // false: the channel keeps nothing
	Next     int64 // what is queued next
	Taken    int64 // up to it, the client may have it
	Received int64
	Required []int64
	Replied  []int64
}

// Size is about how many bytes the frames come to.
func (c *Carried) Size() (bytes int) {
	for _, frames := range [][]CarriedFrame{c.Queue, c.Held, c.Bound} {
		for i := range frames {
			bytes += len(frames[i].Body) + len(frames[i].Channel) + carriedOverhead
		}
	}
	for i := range c.Places {
		p := &c.Places[i]
		bytes += len(p.Channel) + carriedOverhead + 8*(len(p.Required)+len(p.Replied))
	}
	return bytes
}

// carriedOverhead is what a frame or a place costs beside its text.
const carriedOverhead = 48

// Admits tells whether a client that comes back may go on with the session. It changes nothing.
func (s *Session) Admits(r Return) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.admitsLocked(r)
}

// Take ends the session here, for it to go on elsewhere: for the client that has come back there or, with a
// nil Return, for one that will. Its connection is closed for that reason. It is nil when the session cannot
// go on without a gap, a request is not answered yet, or it has more than so many bytes: then it has not
// changed. The caller takes its subscriptions off their channels.
func (s *Session) Take(r *Return, most int, why transport.Disconnect) (c *Carried, subs []*Subscription) {
	s.mu.Lock()
	if !s.movesLocked(r) {
		s.mu.Unlock()
		return nil, nil
	}
	var receipts []receipt
	if r != nil {
		receipts = s.ackLinkLocked(r.Last)
	}
	s.expireLocked(time.Now())
	if c = s.carriedLocked(); c == nil || c.Size() > most {
		s.mu.Unlock()
		tell(receipts)
		return nil, nil
	}
	conn := s.conn
	s.disconnectLocked(why)
	if conn != nil {
		s.tellLocked(Lost, conn, s.causeLocked(why))
	}
	s.state, s.conn = Closed, nil
	subs = s.subs
	for _, sub := range subs {
		sub.gone = true
	}
	s.moveAwaitedLocked()
	s.dropAsidesLocked()
	s.subs, s.behind, s.dirty = nil, nil, nil
	s.queue.end()
	s.drainedLocked()
	s.mu.Unlock()
	if conn != nil {
		conn.Close(why)
	}
	tell(receipts)
	return c, subs
}

func (s *Session) movesLocked(r *Return) bool {
	if s.state == Closed || s.ended || s.ticket == "" || s.lost || s.requests != nil && len(s.requests.open) > 0 {
		return false
	}
	return r == nil || s.admitsLocked(*r)
}

// moveAwaitedLocked answers those who wait as if the connection were lost: the frames go on waiting, elsewhere.
func (s *Session) moveAwaitedLocked() {
	s.detachAwaitedLocked()
	for _, a := range s.awaited {
		a.end(Unsure)
	}
	s.eachWaitingLocked(func(i *interest) { i.end(Unsure) })
	s.awaited, s.held, s.requests = nil, nil, nil
}

// carriedLocked is nil if there is a frame that cannot be encoded.
func (s *Session) carriedLocked() *Carried {
	c := &Carried{
		Options: s.Options, Follows: s.follow != nil, Started: s.Started, Expiry: s.expiry, Ticket: s.ticket, Spent: s.spent,
		Acked: s.queue.acked, Reached: s.queue.reached,
	}
	c.Format, c.GID, c.Hold, c.Events, c.Protocol, c.Follow = s.format, s.gid, s.barred, s.events, nil, nil
	if s.requests != nil {
		c.Asked = s.requests.asked
	}
	for _, it := range s.queue.items[s.queue.head:] {
		f := CarriedFrame{Body: it.enc.Body(), Expires: it.enc.Expires(), Seq: it.seq, Required: it.required, Kept: it.kept}
		if it.sub != nil && !it.sub.gone {
			f.Channel = it.sub.Name
		}
		c.Queue = append(c.Queue, f)
	}
	if !s.carryWaitingLocked(c) {
		return nil
	}
	for _, sub := range s.subs {
		c.Places = append(c.Places, CarriedPlace{
			Channel: sub.Name, Logged: sub.source != nil, Next: sub.next, Taken: max(sub.taken, sub.written), Received: sub.received,
			Required: sub.required, Replied: sub.replied,
		})
	}
	return c
}

// carryWaitingLocked adds the frames without a number.
func (s *Session) carryWaitingLocked(c *Carried) bool {
	carry := func(to *[]CarriedFrame, f *frame.Frame, b Bound) bool {
		enc, err := f.In(s.format)
		if err != nil {
			s.cannotEncode(err)
			return false
		}
		*to = append(*to, CarriedFrame{Body: enc.Body(), Expires: f.Expires(), Bound: b})
		return s.format.Decode != nil
	}
	if s.held != nil {
		for _, h := range s.held.frames {
			if !carry(&c.Held, h.frame, Bound{}) {
				return false
			}
		}
	}
	if s.requests != nil {
		for _, b := range s.requests.bound {
			if !carry(&c.Bound, b.frame, b.Bound) {
				return false
			}
		}
	}
	return true
}

// Arrival is what only the node knows to which a session comes.
type Arrival struct {
	Protocol any
	Follow   Follow // nil: the session follows what it did, and no more
	// Source returns the log of a channel as the session reads it; nil: it keeps nothing.
	Source func(s *Session, channel string) Source
}

// Restore makes a session again that waits for its client. Its subscriptions, which it returns, are to be put
// on their channels, and started after that if they have a log.
func Restore(core *Core, c *Carried, a Arrival) (*Session, []*Subscription, error) {
	o := c.Options
	o.Protocol, o.Follow = a.Protocol, a.Follow
	now := time.Now()
	s := &Session{
		Options: o, core: core, Started: c.Started, format: o.Format, gid: o.GID, follow: a.Follow, expiry: c.Expiry,
		progress: now, detached: now, state: Detached, ticket: c.Ticket, spent: c.Spent, barred: o.Hold, events: o.Events,
	}
	s.heard.Store(now.UnixNano())
	s.queue.tally = core.Load.NewTally()
	s.queue.acked, s.queue.reached = c.Acked, c.Reached
	if o.Hold {
		s.held = &held{}
	}
	if o.Asked > 0 || len(c.Bound) > 0 {
		s.requests = &requests{asked: o.Asked}
	}
	for i := range c.Places {
		s.restorePlace(&c.Places[i], a)
	}
	if err := s.restoreFrames(c, now); err != nil {
		s.queue.end()
		return nil, nil, err
	}
	return s, append([]*Subscription(nil), s.subs...), nil
}

func (s *Session) restorePlace(p *CarriedPlace, a Arrival) {
	var source Source
	if p.Logged {
		source = a.Source(s, p.Channel)
	}
	sub := NewSubscription(s, p.Channel, nil, source, p.Next-1)
	sub.taken, sub.written, sub.received = p.Taken, p.Taken, p.Received
	sub.required, sub.replied = p.Required, p.Replied
	s.subs = append(s.subs, sub)
	if sub.leads && !sub.live {
		s.leadLocked()
	}
}

func (s *Session) restoreFrames(c *Carried, now time.Time) error {
	if c.Reached < c.Acked || c.Reached-c.Acked > uint64(len(c.Queue)) {
		return fmt.Errorf("session: %d frames wait behind %d, and the client has up to %d", len(c.Queue), c.Acked, c.Reached)
	}
	for i := range c.Queue {
		f := &c.Queue[i]
		it := item{enc: s.format.Encoded(f.Body, f.Expires), seq: f.Seq, required: f.Required, kept: f.Kept}
		if f.Channel != "" {
			it.sub = s.findLocked(f.Channel)
		}
		s.queue.push(it)
	}
	s.queue.sent = int(c.Reached - c.Acked)
	for i := range c.Held {
		f, size, err := s.decode(&c.Held[i])
		if err != nil {
			return err
		}
		s.leadLocked()
		s.held.add(heldFrame{frame: f}, size)
	}
	for i := range c.Bound {
		f, size, err := s.decode(&c.Bound[i])
		if err != nil {
			return err
		}
		s.requests.bound = append(s.requests.bound, boundFrame{Bound: c.Bound[i].Bound, frame: f, size: size, since: now})
		s.requests.bytes += size
	}
	return nil
}

// decode makes a frame again that has no number yet, and is no matter of a format.
func (s *Session) decode(c *CarriedFrame) (f *frame.Frame, size int, err error) {
	if s.format.Decode == nil {
		return nil, 0, fmt.Errorf("session: frames of %s cannot be read", s.format.Name)
	}
	payload, err := s.format.Decode(c.Body)
	if err != nil {
		return nil, 0, err
	}
	f = frame.NewUntil(payload, c.Expires)
	enc, err := f.In(s.format)
	if err != nil {
		return nil, 0, err
	}
	return f, enc.Size(), nil
}
