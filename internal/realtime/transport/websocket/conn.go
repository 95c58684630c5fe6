package websocket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// parting bounds the end of a connection: how long a write that is under way may take yet, the close
// frame behind it, and the client to hang up.
const parting = time.Second

// Conn is a WebSocket connection as a transport.Conn. What is small stands together: there is one for each
// client at rest.
type Conn struct {
	group  *Group
	net    net.Conn
	format *frame.Format
	in     reader
	peeked []byte // a message that was read to see its kind
	end    error  // what Read returned at last

	heard    atomic.Uint32 // the group's tick when anything last came from the client
	restedAt uint32        // tick of the last rest
	rests    uint32        // in it
	bye      ws.StatusCode // under mu: what the close frame is to say
	owed     bool          // under mu: a ping was not answered yet
	broken   bool          // under writing: a write failed half-way

	text   bool // messages are text in both directions; else binary
	chosen bool // text is settled
	batch  bool // frames that are written together go into one envelope
	asked  bool // it was pinged since it was heard; of the goroutine that pings

	raw     syscall.RawConn // writes what the client takes at once; nil: the connection has no such way
	writing sync.Mutex      // held while something is written, and until the rest of it is
	rest    net.Buffers     // under writing: what the client did not take at once

	wait func(fd uintptr) (done bool) // source.readable, made once and not for each message

	mu     sync.Mutex
	why    error  // not nil: closed
	words  string // of the close frame
	pong   []byte // the answer that is owed
	atRest Server // who goes on when something comes; nil: somebody reads
}

var _ transport.Eager = (*Conn)(nil)

// newConn makes a connection that has none yet.
func newConn(g *Group) *Conn {
	c := &Conn{group: g}
	c.in.src, c.in.limit = (*source)(c), g.options.MaxMessage
	return c
}

// connect gives it one that was just upgraded. ahead is what was read from it already.
func (c *Conn) connect(nc net.Conn, ahead []byte) {
	if len(ahead) > 0 {
		c.in.box = &inbox{bytes: ahead, to: len(ahead)}
	}
	c.heard.Store(c.group.now.Load())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.net, c.raw = nc, rawOf(nc); c.raw != nil {
		c.wait = (*source)(c).readable
	}
	if c.why != nil {
		c.freeLocked()
	}
}

// Peer implements transport.Peered.
func (c *Conn) Peer() transport.Peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := transport.Peer{Transport: "websocket"}
	if c.net != nil {
		p.Remote = c.net.RemoteAddr().String()
	}
	return p
}

// Speak settles how frames are written: in a format that is text or binary, and with batch several
// that wait together in one envelope, if the format has such. Messages of the other kind are refused
// from then on. It is called once, before anything is written.
func (c *Conn) Speak(format *frame.Format, text, batch bool) {
	c.format, c.text, c.batch, c.chosen = format, text, batch, true
}

// Peek waits for the client's first message and tells whether it is text. The next Read returns it.
func (c *Conn) Peek() (text bool, err error) {
	op, data, err := c.next()
	for errors.Is(err, errQuiet) {
		op, data, err = c.next()
	}
	if err != nil {
		return false, err
	}
	c.peeked = data
	if data == nil {
		c.peeked = []byte{}
	}
	return op == ws.OpText, nil
}

// Read implements transport.Conn. A client that means to end sends a close frame with status 1000 or
// none; with any other, as a browser sends whose page is left, the connection counts as lost. The
// bytes are the caller's.
func (c *Conn) Read() ([]byte, error) {
	for {
		data, quiet, err := c.Next()
		if !quiet {
			return data, err
		}
	}
}

// Next is Read for whoever lets the connection rest: it returns as well, with quiet, when the client has
// sent something that is no message, such as the answer to a ping, and nothing behind it.
func (c *Conn) Next() (data []byte, quiet bool, err error) {
	if data := c.peeked; data != nil {
		c.peeked = nil
		return data, false, nil
	}
	op, data, err := c.next()
	switch {
	case errors.Is(err, errQuiet):
		return nil, true, nil
	case err == nil && c.chosen && (op == ws.OpText) != c.text:
		err = c.breach(&violation{ws.StatusUnsupportedData, fmt.Sprintf("%s takes %s messages only", c.format.Name, kind(c.text))})
	}
	return data, false, err
}

func kind(text bool) string {
	if text {
		return "text"
	}
	return "binary"
}

// next returns the next message, errQuiet where Next is quiet, or why there is none any more.
func (c *Conn) next() (ws.OpCode, []byte, error) {
	if c.end != nil {
		return 0, nil, c.end
	}
	c.in.await()
	op, data, err := c.in.message()
	if err == nil || errors.Is(err, errQuiet) {
		return op, data, err
	}
	var (
		v *violation
		l *left
	)
	switch why := c.usable(); {
	case why != nil: // closed by us: that is why it failed
		err = why
	case errors.As(err, &v):
		err = c.breach(v)
	case errors.As(err, &l) && (l.status == 0 || l.status == ws.StatusNormalClosure):
		c.leave(l.status)
		err = io.EOF
	case errors.As(err, &l):
		c.leave(l.status)
	}
	c.end = err
	return 0, nil, err
}

// breach closes the connection of a client that broke the protocol.
func (c *Conn) breach(v *violation) error {
	c.shut(v, v.status, v.reason)
	c.end = v
	return v
}

// leave notes what the client's close frame will be answered with, when the last frames are written.
func (c *Conn) leave(status ws.StatusCode) {
	if status == 0 {
		status = ws.StatusNormalClosure
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bye = status
}

// Close implements transport.Conn. The close frame has the code of why as its status; Finish sends it.
func (c *Conn) Close(why transport.Disconnect) {
	c.shut(why, ws.StatusCode(why.Code), why.Words(maxReason))
}

// shut makes Read and Write return. It does not block. The first reason counts.
func (c *Conn) shut(why error, status ws.StatusCode, words string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return
	}
	c.why = why
	if c.bye == 0 { // else the client has said so first
		c.bye, c.words = status, words
	}
	if c.net != nil {
		c.freeLocked()
	}
}

// freeLocked makes whoever reads or writes return, and whoever rests read.
func (c *Conn) freeLocked() {
	// They fail when the connection is closed, and then there is nobody to free.
	_ = c.net.SetReadDeadline(past)
	_ = c.net.SetWriteDeadline(time.Now().Add(parting))
	c.wakeLocked()
}

var past = time.Unix(1, 0)

// usable returns why the connection was closed, nil while it is not.
func (c *Conn) usable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// Finish ends the connection once nobody reads it any more: with the reason that Close gave, with
// the answer to the client's own close frame, or else with why. It returns when the network
// connection is closed, after the time that an orderly end may take.
func (c *Conn) Finish(why transport.Disconnect) {
	defer c.group.remove(c)
	defer func() { _ = c.net.Close() }() // nobody is left to be told
	c.group.watcher.forget(c)
	c.Close(why)
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	status, words := c.bye, c.words
	c.mu.Unlock()
	if c.broken || errors.Is(c.end, io.ErrUnexpectedEOF) {
		return
	}
	if c.controlLocked(closeFrame(status, words), parting) != nil {
		return
	}
	c.hangUp()
}

// hangUp ends our half and waits for the client to end its own. Closing at once would let the
// system throw away what is still on its way, if the client has sent something meanwhile.
func (c *Conn) hangUp() {
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.net.SetReadDeadline(time.Now().Add(parting)) != nil {
		return
	}
	junk := make([]byte, privateInbox)
	for {
		if _, err := c.net.Read(junk); err != nil {
			return
		}
	}
}
