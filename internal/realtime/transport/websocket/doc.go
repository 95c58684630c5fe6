// Package websocket carries sessions over WebSocket connections that a net/http server has accepted.
//
//	upgrade.go        from a request to a connection
//	conn.go           the connection: reading, closing
//	rest.go           a connection that nobody reads while nothing comes
//	watcher_linux.go  what wakes it
//	reader.go         frames in: fragments, masks, control frames, limits
//	writer.go         frames out: all that waits, in one write
//	group.go          the connections of a listener: pings, and their end
//
// Concurrency and ownership: a connection has no goroutine, timer or channel of its own. The
// HTTP handler calls Upgrade; another goroutine serves the connection (see Request): it calls Read, or Next,
// until that fails, then Finish. While nothing comes it may end, and leave the connection to the group's
// watcher: see Rest. Write may
// be called by one other goroutine at a time and Close by anybody. Pings are sent by the goroutine
// that runs the Group. Frames are not compressed: most are small, and a compressor would cost each
// connection more memory than everything else together.
package websocket
