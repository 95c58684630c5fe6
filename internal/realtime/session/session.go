package session

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// State is where a session is in its life.
//
//	          connection lost              window over, ended, kicked
//	Active ─────────────────────▶ Detached ─────────────────────▶ Closed
//	  ▲                              │                              ▲
//	  └──────────── resume ──────────┘                              │
//	  └──── clean end, or lost without the capability to resume ────┘
type State uint8

// The states.
const (
	Active   State = iota // has a connection
	Detached              // has none, and may get another one within the resume window
	Closed                // is over
)

func (s State) String() string { return [...]string{"active", "detached", "closed"}[s] }

// Options say whose session it is and what its client can do. They do not change.
type Options struct {
	ID     string
	User   string
	GID    int64 // at first; see SetGID
	Device string
	Format *frame.Format // of the first connection; a resume may change it
	// Resume keeps the session over a lost connection, and frames until the client acknowledges
	// them. From a client without it, anything heard is taken to mean that it has what had been
	// written before.
	Resume bool
	// Resend writes again what the client of a session that can resume leaves unacknowledged.
	Resend bool
	// Hold keeps what is offered back, without a number, until Release lets the client in.
	Hold bool
	// Numbered means that the client numbers its requests, so that frames can be bound to answers; to
	// any other session they come at once.
	Numbered bool
	// Replies means that the client wants replies to what it sends.
	Replies bool
	// Events means that the client wants what is told to those who are there, and not kept; see SetEvents.
	Events bool
	// Asked is the number of the last request that the client has sent in an earlier session; 0: none.
	Asked uint64
	// Protocol is the protocol's own part of the session, carried from connection to connection.
	Protocol any
	// Follow is what the session begins with; see SetFollow.
	Follow Follow
}

// Follow lets a session follow a room that its user has joined. It is called without locks held.
type Follow func(s *Session, room string)

// Session is one client's life on this node.
type Session struct {
	Options
	core    *Core
	Started time.Time
	heard   atomic.Int64 // when something last came from the client, in nanoseconds since 1970
	// unproven is set while nothing was heard on a connection that resumed the session.
	unproven atomic.Bool

	mu       sync.Mutex
	away     bool           // the client says that nobody looks; beside mu, where there is room for it
	welcomed bool           // the answer to a client that came back was kept beyond every limit
	conn     transport.Conn // nil unless Active
	format   *frame.Format
	gid      int64
	follow   Follow
	queue    queue
	subs     []*Subscription // few in most sessions, so that a map would be the larger part
	behind   []*Subscription // those that are not live, the one being read first
	dirty    []*Subscription // those with more written than received
	awaited  []awaited       // frames that somebody wants to know of, by number
	barred   bool            // the client is not let in yet
	held     *held           // nil: the session holds nothing back
	requests *requests       // nil: there were none, and nothing is bound to any
	asides   *asides         // nil: nothing of the kind waits
	unacked  time.Time       // since when the first frame that was written waits to be acknowledged
	resends  int             // since the client acknowledged something
	unread   time.Time       // since when the log could not be read; zero: it can
	ticket   string
	spent    string    // the ticket before, until the client is known to have the next; empty: none
	expiry   time.Time // of the token; zero: none
	progress time.Time // when the client last took or acknowledged something, or had nothing to take
	detached time.Time
	drained  chan struct{}         // closed when the queue is empty, if somebody waits for that
	closed   *transport.Disconnect // for what the connection is being closed; nil: it is not

	// Side by side, since apart each would take up eight bytes of every session.
	state    State
	writing  bool // a writer has the session, or is about to
	catching bool // a catcher has the session, or is about to
	greeting bool // on a new connection, whose client has not been greeted yet
	ended    bool // it is about to be closed; that it is over was told when its connection was known
	overfull bool // a frame was kept beyond every limit, the last one that is
	lost     bool // a frame is missing, so that the session cannot be resumed
	events   bool // see Options.Events
}

// New makes an active session on a connection. It gathers what comes for it and writes nothing before
// Continue is called, so that the client can be greeted first.
func New(core *Core, o Options, conn transport.Conn, expiry time.Time) *Session {
	now := time.Now()
	s := &Session{
		Options: o, core: core, Started: now, conn: conn, format: o.Format, gid: o.GID,
		follow: o.Follow, expiry: expiry, progress: now, greeting: true, events: o.Events,
	}
	s.heard.Store(now.UnixNano())
	s.queue.tally = core.Load.NewTally()
	if o.Hold {
		s.barred, s.held = true, &held{}
	}
	if o.Asked > 0 {
		s.requests = &requests{asked: o.Asked}
	}
	if o.Resume {
		s.ticket = newTicket()
	}
	return s
}

// Ticket returns what a client must show to resume the session; empty if it cannot.
func (s *Session) Ticket() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ticket
}

// State returns the session's state.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// CurrentGID returns the gid that the session has now; 0: none.
func (s *Session) CurrentGID() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gid
}

// SetGID gives the session another gid and returns the one that it had. Whoever finds sessions by
// their gid has to be told: that is the hub's business.
func (s *Session) SetGID(gid int64) (old int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, s.gid = s.gid, gid
	return old
}

// SetFollow has the session follow, by f, the rooms that its user joins from now on; with nil it
// follows what it was told to, and no more.
func (s *Session) SetFollow(f Follow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follow = f
}

// Follows tells whether the session follows the rooms that its user joins.
func (s *Session) Follows() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.follow != nil
}

// Joined tells the session that its user has joined a room.
func (s *Session) Joined(room string) {
	s.mu.Lock()
	follow := s.follow
	s.mu.Unlock()
	if follow != nil {
		follow(s, room)
	}
}

// SetExpiry notes until when the client's token is good.
func (s *Session) SetExpiry(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expiry = t
}

// Add registers a subscription and tells whether the session wanted it: it does not when it is
// closed or has one on that channel already.
func (s *Session) Add(sub *Subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Closed || s.findLocked(sub.Name) != nil {
		return false
	}
	s.subs = append(s.subs, sub)
	if sub.leads && !sub.live {
		s.leadLocked()
	}
	return true
}

func (s *Session) findLocked(channel string) *Subscription {
	for _, sub := range s.subs {
		if sub.Name == channel {
			return sub
		}
	}
	return nil
}

// Start lets an added subscription that has a log catch up.
func (s *Session) Start(sub *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sub.live && !sub.gone {
		s.fallBehindLocked(sub)
	}
}

// Remove forgets the subscription on a channel and returns it, or nil.
func (s *Session) Remove(channel string) *Subscription {
	s.mu.Lock()
	sub := s.findLocked(channel)
	if sub == nil {
		s.mu.Unlock()
		return nil
	}
	sub.gone = true
	i := slices.Index(s.subs, sub)
	s.subs = slices.Delete(s.subs, i, i+1)
	s.notBehindLocked(sub)
	wake := s.letGoLocked()
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
	return sub
}

// Channels returns the channels that the session follows.
func (s *Session) Channels() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.subs))
	for i, sub := range s.subs {
		names[i] = sub.Name
	}
	return names
}

// Disconnect closes the connection, which tells the client why. What becomes of the session is
// decided when the connection's reader returns.
func (s *Session) Disconnect(why transport.Disconnect) {
	s.mu.Lock()
	s.disconnectLocked(why)
	s.mu.Unlock()
}

// disconnectLocked closes the connection, which does not block, and counts it once.
func (s *Session) disconnectLocked(why transport.Disconnect) {
	if s.conn == nil {
		return
	}
	if s.closed == nil {
		s.closed = &why
		s.core.Metrics.disconnected(why)
	}
	s.conn.Close(why)
}

// Detach takes the connection from the session after its reader has returned. over tells that the
// session has to be ended: after a clean end by the client, and after a loss if it cannot resume.
// A session that has another connection by now is not concerned. why is transport.Ended if the client meant it.
func (s *Session) Detach(conn transport.Conn, why transport.Disconnect) (over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != conn || s.state == Closed {
		return false
	}
	s.conn = nil
	why = s.causeLocked(why)
	if why.Code == transport.Ended.Code || !s.Resume || s.lost {
		s.ended = true
		s.tellLocked(Over, conn, why)
		return true
	}
	s.state, s.detached = Detached, time.Now()
	s.tellLocked(Lost, conn, why)
	s.dropAsidesLocked()
	s.detachAwaitedLocked()
	return false
}

// Close ends the session for good and returns its subscriptions, which the caller takes off their
// channels. ok is false when it had ended before.
func (s *Session) Close(why transport.Disconnect) (subs []*Subscription, ok bool) {
	s.mu.Lock()
	if s.state == Closed {
		s.mu.Unlock()
		return nil, false
	}
	conn := s.conn
	s.state, s.conn = Closed, nil
	if !s.ended {
		s.tellLocked(Over, conn, why)
	}
	subs = s.subs
	for _, sub := range subs {
		sub.gone = true
	}
	s.endAwaitedLocked()
	s.dropAsidesLocked()
	s.subs, s.behind, s.dirty = nil, nil, nil
	s.queue.end()
	s.drainedLocked()
	s.mu.Unlock()
	if conn != nil {
		conn.Close(why)
	}
	return subs, true
}

// Drained returns a channel that is closed once everything queued so far was written.
func (s *Session) Drained() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained == nil {
		s.drained = make(chan struct{})
	}
	done := s.drained
	if s.queue.unsent() == 0 && !s.writing {
		s.drainedLocked()
	}
	return done
}

func (s *Session) drainedLocked() {
	if s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}

// Overdue tells whether the session has to go, and why: its resume window is over, its token has
// expired, or it takes nothing of what waits for it. What has expired there is dropped first.
func (s *Session) Overdue(now time.Time) (why transport.Disconnect, end, overdue bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireLocked(now)
	c := s.core.Config()
	waiting := s.writing && !s.asideLocked() || s.queue.unsent() > 0 || s.queue.bytes > s.core.queueBytes()/2
	switch {
	case s.state == Detached && (s.lost || now.Sub(s.detached) > c.ResumeWindow):
		return transport.ConnLost, true, true
	case s.state != Active:
		return transport.Disconnect{}, false, false
	case !s.expiry.IsZero() && now.Sub(s.expiry) > c.ExpiryGrace:
		return transport.TokenExpired, false, true
	case waiting && now.Sub(s.progress) > c.StallTimeout:
		return transport.Slow, false, true
	case !waiting:
		s.progress = now
		s.queue.trim()
	}
	return transport.Disconnect{}, false, false
}

// Stats is a session's state at a moment.
type Stats struct {
	State       State
	QueueFrames int // waiting to be written, or written and not acknowledged
	QueueBytes  int
}

// Stats returns the session's state.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{State: s.state, QueueFrames: s.queue.len(), QueueBytes: s.queue.bytes}
}
