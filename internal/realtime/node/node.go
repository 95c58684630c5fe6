// Package node makes the sessions, channels and presence of one node, and its broker, into one
// thing with Run and Drain. All methods are safe for concurrent use.
package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/hub"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// sweepEvery is how often sessions are checked for what is overdue.
const sweepEvery = time.Second

// Node is the realtime half of a Hermod process.
type Node struct {
	core       *session.Core
	hub        *hub.Hub
	broker     broker.Cluster
	presence   *presence.Tracker
	interest   interest
	requests   [256]func(r broker.Request, refuse func()) // by Kind
	onMissed   []func(channel string)
	onMember   []func(node string, here bool)
	onLost     []func(s *session.Session)
	claims     []claim
	broadcasts broadcasts
	recheck    recheck
	moved      moved
	handOver   func(ctx context.Context, s *session.Session) // nil: sessions stay
	draining   atomic.Bool
	sequencer  sequencer
	log        *slog.Logger
}

// New returns a node that does nothing in the background before Run.
func New(core *session.Core, b broker.Cluster, p *presence.Tracker) *Node {
	n := &Node{core: core, hub: hub.New(core.Writer, core.Log), broker: b, presence: p, log: core.Log}
	n.interest.init(n.wanted, b)
	n.broadcasts.returned.L = &n.broadcasts.mu
	n.recheck.init()
	n.sequencer.init()
	b.Attach(broker.Handlers{Publication: n.deliver, Publications: n.hub.DeliverAll, Missed: n.missed, Request: n.request, Member: n.member})
	return n
}

// ReadFrom has the node put what is published on the channels of a log into its order, once for all of its
// sessions, and read there what did not come. It is called once, before anything is published.
func (n *Node) ReadFrom(log hub.Log) { n.hub.ReadFrom(log) }

// Run works until ctx ends; then it closes what sessions are left and returns once all is quiet.
func (n *Node) Run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { return n.core.Writer.Run(ctx) })
	g.Go(func() error { return n.core.Catcher.Run(ctx) })
	g.Go(func() error { return n.broker.Run(ctx) })
	g.Go(func() error { return n.hub.Run(ctx) })
	g.Go(func() error { return n.sweep(ctx) })
	g.Go(func() error { return n.runRecheck(ctx) })
	return g.Wait()
}

func (n *Node) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, s := range n.hub.All() {
				n.End(s, transport.Shutdown)
			}
			return nil
		case now := <-tick.C:
			n.sweepOnce(now)
		}
	}
}

func (n *Node) sweepOnce(now time.Time) {
	for _, s := range n.hub.All() {
		why, end, overdue := s.Overdue(now)
		switch {
		case overdue && end:
			n.End(s, why)
		case overdue:
			s.Disconnect(why)
		case s.Options.Resend && s.Resend(now), s.Unbind(now):
			n.core.Writer.Wake(s)
		}
	}
	n.presence.Sweep(now)
	n.moved.sweep(now)
	n.sequencer.sweep(now)
}

// Drain closes the connections of all sessions, spread evenly over a window so that they do not
// all come back at once, and tells their clients to come back. Each may take what waits for it
// first, for flushWindow at most. What they resume is handed over to other nodes, see OnDrain. Drain ends
// early with ctx.
func (n *Node) Drain(ctx context.Context, window time.Duration) {
	n.draining.Store(true)
	n.hub.Spread() // what was published before waits for the clients like anything else
	all := n.hub.All()
	start := time.Now()
	var wg sync.WaitGroup
	for i, s := range all {
		wait(ctx, nil, time.Until(start.Add(window*time.Duration(i)/time.Duration(len(all)))))
		wg.Go(func() {
			wait(ctx, s.Drained(), flushWindow)
			// Those that were close together in the window are not when they come back.
			s.Disconnect(transport.Shutdown.After(transport.Spread(window / 2)))
			if n.handOver != nil && ctx.Err() == nil {
				n.handOver(ctx, s)
			}
		})
	}
	wg.Wait()
}

// flushWindow is how long a client may take to read what waits for it before it is disconnected.
const flushWindow = time.Second

// wait returns after d, or when done is closed or ctx ends.
func wait(ctx context.Context, done <-chan struct{}, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-done:
	case <-ctx.Done():
	}
}

// Open makes a session known: from now on it can be pushed to and resumed.
func (n *Node) Open(s *session.Session) {
	s.Opened()
	n.presence.Arrive(s.User) // first: once it is known, a session may end
	n.hub.Add(s)
	n.updateAddresses(s, s.CurrentGID())
}

// End closes a session for good.
func (n *Node) End(s *session.Session, why transport.Disconnect) {
	subs, ok := s.Close(why)
	if !ok {
		return
	}
	n.hub.Remove(s, subs)
	for _, sub := range subs {
		n.updateInterest(sub.Name)
	}
	n.updateAddresses(s, s.CurrentGID())
	n.lost(s)
	n.presence.Depart(s.User, s.Away(), why.Code == transport.Ended.Code)
}

// Done is called when the reader of a session's connection has returned: for transport.Ended if the
// client meant it. A session whose connection was lost waits for its client if it can resume; any
// other one ends.
func (n *Node) Done(s *session.Session, conn transport.Conn, why transport.Disconnect) {
	if s.Detach(conn, why) {
		n.End(s, why)
		return
	}
	if s.State() == session.Detached {
		n.lost(s)
	}
}

// OnLost has told called when a session has lost its connection, or has ended. It is called before Run; told must
// not block.
func (n *Node) OnLost(told func(s *session.Session)) { n.onLost = append(n.onLost, told) }

func (n *Node) lost(s *session.Session) {
	for _, told := range n.onLost {
		told(s)
	}
}

// Session returns a session by its id, or the successor of the one that had it, or nil.
func (n *Node) Session(id string) *session.Session { return n.hub.Session(id) }

// Resume continues a session of the user on another connection, writing nothing before the
// session's Continue is called. When that is impossible, the session, if there is one and the
// ticket is right, has lost frames or is unknown: the client starts anew.
func (n *Node) Resume(id, user string, r session.Return) (s *session.Session, next string, ok bool) {
	s = n.hub.Session(id)
	if s != nil && s.User == user {
		next, ok = s.Reattach(r)
	}
	if !ok {
		n.core.Metrics.Resumes.WithLabelValues("resync").Inc()
		return nil, "", false
	}
	n.SetAway(s, false) // until the client says so again
	n.core.Metrics.Resumes.WithLabelValues("resumed").Inc()
	return s, next, true
}

// Subscribe lets a session follow a channel from behind a place in its log; with a nil source the
// channel has none. Following it already is no error.
func (n *Node) Subscribe(s *session.Session, channel string, source session.Source, after int64) {
	n.Attach(s, channel, source, after)()
}

// Attach does what Subscribe does, but for the log: that is read once begin is called, so that
// something else can go before it.
func (n *Node) Attach(s *session.Session, channel string, source session.Source, after int64) (begin func()) {
	sub := n.hub.Subscribe(s, channel, source, after)
	if sub == nil {
		return func() {}
	}
	n.updateInterest(channel)
	return func() { s.Start(sub) }
}

// Unsubscribe takes a session off a channel, and tells whether it was on it.
func (n *Node) Unsubscribe(s *session.Session, channel string) bool {
	if !n.hub.Unsubscribe(s, channel) {
		return false
	}
	n.updateInterest(channel)
	return true
}

// Dismiss is Unsubscribe for somebody who is to know why: last is what was published last, with its seq, which he gets
// by itself if he has not come that far.
func (n *Node) Dismiss(s *session.Session, channel string, seq int64, last *frame.Frame) bool {
	n.hub.SpreadOn(channel)
	s.ReplyAhead(channel, seq, last)
	return n.Unsubscribe(s, channel)
}

// Publish delivers p to everybody on its channel, on every node.
func (n *Node) Publish(p *frame.Publication) {
	if err := n.broker.Publish(context.Background(), p); err != nil && !errors.Is(err, context.Canceled) {
		n.log.Warn("a publication did not reach the broker", "channel", p.Channel, "seq", p.Seq, "error", err)
	}
}

// PublishAll does what Publish does, for publications of one channel in the order of their seq, of which there is at
// least one: each session on the channel gets them at once, and each other node one message.
func (n *Node) PublishAll(ps []*frame.Publication) {
	if err := n.broker.PublishAll(context.Background(), ps); err != nil && !errors.Is(err, context.Canceled) {
		n.log.Warn("publications did not reach the broker", "channel", ps[0].Channel, "seq", ps[0].Seq, "count", len(ps), "error", err)
	}
}

func (n *Node) updateInterest(channel string) {
	if err := n.interest.update(channel); err != nil {
		n.log.Warn("the broker refused a subscription", "channel", channel, "error", err)
	}
}

// Online tells whether a user is online.
func (n *Node) Online(user string) bool { return n.presence.Online(user) }

// Presence is who is online on this node.
func (n *Node) Presence() *presence.Tracker { return n.presence }

// SetAway notes what a session's client says of its user: that he does not look, or that he does again.
func (n *Node) SetAway(s *session.Session, away bool) {
	if s.SetAway(away) {
		n.presence.Look(s.User, !away)
	}
}

// OfUser returns the user's sessions on this node.
func (n *Node) OfUser(user string) []*session.Session { return n.hub.OfUser(user) }

// OfGID returns the sessions of a gid on this node.
func (n *Node) OfGID(gid int64) []*session.Session { return n.hub.OfGID(gid) }

// Assign gives a session another gid, by which it is found from now on; 0: none.
func (n *Node) Assign(s *session.Session, gid int64) {
	old := n.hub.Assign(s, gid)
	n.updateAddresses(s, old, gid)
}

// Succeed makes next the one that is meant when somebody names old, once old has ended.
func (n *Node) Succeed(old, next *session.Session) { n.hub.Succeed(old, next) }

// Core returns what the node's sessions share.
func (n *Node) Core() *session.Core { return n.core }
