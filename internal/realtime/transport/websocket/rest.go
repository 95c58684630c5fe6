package websocket

// Server reads a connection.
type Server interface {
	// Serve reads until the connection rests or ends. It gets a goroutine of its own.
	Serve()
}

// maxRests bounds how often in a tick a connection is found at rest: one that is busy stays where it is.
const maxRests = 4

// Resting tells that nothing is there to be read, so that it is worth while to let the connection Rest: the
// stack of this goroutine has grown with what it has handled, and would stay so large for as long as the
// client is silent. It is called by whoever reads.
func (c *Conn) Resting() bool {
	if c.raw == nil || c.end != nil || c.peeked != nil || !c.in.empty() {
		return false
	}
	if now := c.group.now.Load(); now != c.restedAt {
		c.restedAt, c.rests = now, 0
	}
	c.rests++
	return c.rests <= maxRests
}

// Rest lets a connection rest: nobody reads it until something comes or it is closed, and then s is
// called to. It may be called when Resting was true, by whoever reads, as the last thing about the
// connection. Where the system tells of many connections at once, none at rest has a goroutine.
func (c *Conn) Rest(s Server) {
	if !c.letRest(s) {
		go s.Serve()
	}
}

// letRest is false when there is nobody to wake it.
func (c *Conn) letRest(s Server) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil || !c.group.watcher.add(c) {
		return false
	}
	c.atRest = s // whoever would wake it already waits for the lock
	return true
}

// wake has a connection read again that is at rest.
func (c *Conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked()
}

func (c *Conn) wakeLocked() {
	if s := c.atRest; s != nil {
		c.atRest = nil
		go s.Serve()
	}
}
