// Package transporttest has what tests of transports share: a transport.Conn whose client is in memory
// and reads as told, and the rules that every transport is held against.
package transporttest

import (
	"io"
	"strconv"
	"sync"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Text is a format whose payloads are strings, written as they are.
var Text = frame.NewFormat(frame.Encoders{
	Name: "text",
	Body: func(dst []byte, payload any) ([]byte, error) { return append(dst, payload.(string)...), nil },
	Number: func(dst []byte, link uint64) []byte {
		return append(strconv.AppendUint(dst, link, 10), ':')
	},
	Item: func(dst []byte, bodyLen int) []byte { return append(strconv.AppendInt(dst, int64(bodyLen), 10), ' ') },
})

// Got is a frame that was written.
type Got struct {
	Text string
	Link uint64
}

// Conn is a connection to a client in memory. All methods are safe for concurrent use.
type Conn struct {
	mu      sync.Mutex
	changed sync.Cond
	got     []Got
	writes  int
	reading bool
	closed  *transport.Disconnect
}

// NewConn returns a connection whose client reads everything at once.
func NewConn() *Conn {
	c := &Conn{reading: true}
	c.changed.L = &c.mu
	return c
}

// Read implements transport.Conn: the client never says anything.
func (c *Conn) Read() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.closed == nil {
		c.changed.Wait()
	}
	return nil, io.ErrClosedPipe
}

// Write implements transport.Conn.
func (c *Conn) Write(out []transport.Outgoing) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.reading && c.closed == nil {
		c.changed.Wait()
	}
	if c.closed != nil {
		return *c.closed
	}
	c.writes++
	for _, o := range out {
		c.got = append(c.got, Got{string(o.Frame.Body()), o.Link})
	}
	c.changed.Broadcast()
	return nil
}

// Close implements transport.Conn.
func (c *Conn) Close(why transport.Disconnect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.closed = &why
	}
	c.changed.Broadcast()
}

// SetReading makes the client stop or go on reading.
func (c *Conn) SetReading(reading bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = reading
	c.changed.Broadcast()
}

// Got returns what was written so far.
func (c *Conn) Got() []Got {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Got(nil), c.got...)
}

// Texts returns the texts of what was written so far.
func (c *Conn) Texts() []string {
	texts := []string{}
	for _, g := range c.Got() {
		texts = append(texts, g.Text)
	}
	return texts
}

// Writes returns how many batches were written.
func (c *Conn) Writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// Closed returns the reason for which the connection was closed, if it was.
func (c *Conn) Closed() (why transport.Disconnect, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		return why, false
	}
	return *c.closed, true
}
