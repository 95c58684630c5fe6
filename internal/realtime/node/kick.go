package node

import (
	"context"

	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Sessions returns every session at this moment.
func (n *Node) Sessions() []*session.Session { return n.hub.All() }

// Count counts them.
func (n *Node) Count() int { return n.hub.Len() }

// Kick closes a session's connection, after the client has taken what waits for it or flushWindow. A
// code that invites to come back leaves the session to be resumed, if it has a connection to lose.
// Otherwise it ends.
func (n *Node) Kick(ctx context.Context, s *session.Session, why transport.Disconnect) {
	if s.State() == session.Active {
		wait(ctx, s.Drained(), flushWindow)
		s.Disconnect(why)
		if why.Reconnect() {
			return
		}
	}
	n.End(s, why)
}
