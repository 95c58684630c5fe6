// Package realtime holds, in its sub-packages, the hot path between a room and its readers. It
// knows no protocol, no framework and no database, so that each part can be read, tested and
// measured alone.
//
//	node       hub + broker + presence as one thing with Run and Drain
//	hub        the sessions and channel subscriptions of this node; fan-out
//	session    one client's life here: state, bounded queue, resume, catching up
//	transport  Conn, a connection of any kind, and how one ends
//	frame      a message encoded once per wire format
//	broker     carries publications between nodes
//	presence   who is online
//
// Lock order, outermost first: hub.channel, session.Session, then the leaf locks of
// session.Writer and session.Catcher, of what waits in a channel's line, and of what is told of a session (Core.OnEvent). Nothing is written to a connection and nothing is read from
// a store under a lock.
package realtime
