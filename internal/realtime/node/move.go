package node

import (
	"context"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Take takes a session away, for it to go on at another node; see session.Take. It is nil if that cannot be.
// From then on it is in no node's hands but the caller's.
func (n *Node) Take(s *session.Session, r *session.Return, most int, why transport.Disconnect) *session.Carried {
	c, subs := s.Take(r, most, why)
	if c == nil {
		return nil
	}
	c.Names = n.hub.Names(s)
	n.hub.Remove(s, subs)
	for _, sub := range subs {
		n.updateInterest(sub.Name)
	}
	n.updateAddresses(s, c.GID)
	n.lost(s)
	n.presence.Depart(s.User, s.Away(), false) // he is about to be online at the other node
	return c
}

// Receive makes a session known that was restored from another node, with the ids that it was known by, and
// lets it follow its channels.
func (n *Node) Receive(s *session.Session, subs []*session.Subscription, names []string) {
	for _, sub := range subs { // first: once it is known, a session may end
		n.hub.Place(sub)
	}
	n.presence.Arrive(s.User)
	n.hub.Add(s)
	n.hub.Name(s, names...)
	n.updateAddresses(s, s.CurrentGID())
	for _, sub := range subs {
		n.updateInterest(sub.Name)
		if sub.Logged() {
			s.Start(sub)
		}
	}
}

// Named has a session found by older ids, too.
func (n *Node) Named(s *session.Session, ids ...string) { n.hub.Name(s, ids...) }

// Names returns the older ids by which a session is found.
func (n *Node) Names(s *session.Session) []string { return n.hub.Names(s) }

// OnDrain has Drain call f for each session whose connection it has closed, to give it to another node. It is
// called before Run. f may take seconds; sessions that it leaves stay until the node stops.
func (n *Node) OnDrain(f func(ctx context.Context, s *session.Session)) { n.handOver = f }

// Draining tells that the node is about to stop and takes nothing over.
func (n *Node) Draining() bool { return n.draining.Load() }

// maxMoved bounds how many sessions are remembered that have moved.
const maxMoved = 1 << 17

// moved is to which nodes sessions have gone, as long as they might have been resumed here. The zero value is
// ready.
type moved struct {
	mu sync.Mutex
	to map[string]movedTo
}

type movedTo struct {
	node  string
	until time.Time
}

// MovedTo notes to which node a session has gone.
func (n *Node) MovedTo(session, node string) {
	m := &n.moved
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.to == nil {
		m.to = make(map[string]movedTo)
	}
	if len(m.to) < maxMoved {
		m.to[session] = movedTo{node, time.Now().Add(n.core.Config().ResumeWindow)}
	}
}

// Moved returns the node to which a session has gone lately; empty: that is not known.
func (n *Node) Moved(session string) (node string) {
	n.moved.mu.Lock()
	defer n.moved.mu.Unlock()
	return n.moved.to[session].node
}

func (m *moved) sweep(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, to := range m.to {
		if now.After(to.until) {
			delete(m.to, id)
		}
	}
}
