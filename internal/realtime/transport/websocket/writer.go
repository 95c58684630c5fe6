package websocket

import (
	"bytes"
	"net"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// What is written at once is put together in a shared buffer: copying costs less than a list of pieces
// does. What a client keeps waiting is held apart: large frames as the pieces that all receivers share.
const (
	smallWrite = 8 << 10
	largeWrite = 80 << 10
	largeFrame = 2 << 10 // on average
	// maxPrefix is room for a frame's header and what a format puts before a body.
	maxPrefix = 64
)

// Write implements transport.Conn.
func (c *Conn) Write(out []transport.Outgoing) error {
	whole, err := c.TryWrite(out)
	if err == nil && !whole {
		err = c.Flush()
	}
	return err
}

// TryWrite implements transport.Eager. An encrypted connection waits for its client: what is encrypted
// has to go out. Until Flush has written the rest, nobody else writes, pings and their answers
// included, since the rest may begin in the middle of a frame.
func (c *Conn) TryWrite(out []transport.Outgoing) (whole bool, err error) {
	c.writing.Lock()
	whole, err = c.writeLocked(out)
	if err == nil && !whole {
		return false, nil // with the lock
	}
	c.writing.Unlock()
	c.answerPing()
	return whole, err
}

// Flush implements transport.Eager.
func (c *Conn) Flush() error {
	err := c.usable()
	if err == nil {
		err = c.wrote(writeAll(c.net, c.rest))
	} else {
		c.broken = true
	}
	c.rest = nil
	c.writing.Unlock()
	c.answerPing()
	return err
}

func (c *Conn) writeLocked(out []transport.Outgoing) (whole bool, err error) {
	if err := c.usable(); err != nil {
		return false, err
	}
	size := 0
	for _, o := range out {
		size += o.Frame.Size() + maxPrefix
	}
	pool := smallOutboxes
	switch {
	case size > largeWrite: // a frame that is larger than all that is usually written at once
		c.rest = c.pieces(out)
		return false, nil
	case size > smallWrite:
		pool = largeOutboxes
	}
	box := pool.Get().(*outbox) //nolint:forcetypeassert // nothing else is put there
	defer pool.Put(box)
	box.bytes = c.assemble(box.bytes[:0], out)
	if c.raw == nil {
		_, err = c.net.Write(box.bytes)
		return err == nil, c.wrote(err)
	}
	n, err := box.offer(c.raw)
	switch {
	case err != nil:
		return false, c.wrote(err)
	case n == len(box.bytes):
		return true, nil
	case size > largeFrame*len(out) && !c.envelops(out):
		c.rest = skip(c.pieces(out), n)
	default:
		c.rest = net.Buffers{bytes.Clone(box.bytes[n:])}
	}
	return false, nil
}

// assemble appends frames as they are on the wire.
func (c *Conn) assemble(dst []byte, out []transport.Outgoing) []byte {
	if c.envelops(out) {
		size := 0
		for _, o := range out {
			size += len(o.Frame.Item())
		}
		dst = c.head(dst, out[0].Link, size)
		for _, o := range out {
			dst = append(dst, o.Frame.Item()...)
		}
		return dst
	}
	for _, o := range out {
		dst = append(c.head(dst, o.Link, len(o.Frame.Body())), o.Frame.Body()...)
	}
	return dst
}

func (c *Conn) envelops(out []transport.Outgoing) bool {
	return c.batch && len(out) > 1 && c.format.Item != nil
}

// head appends what stands before so many bytes of body. How long the header is depends on the prefix
// behind it, so that this is written first and moved: space of its own would be garbage for each frame.
func (c *Conn) head(dst []byte, link uint64, body int) []byte {
	var room [maxHeader]byte
	start := len(dst)
	dst = c.format.Prefix(append(dst, room[:]...), link)
	prefix := len(dst) - start - maxHeader
	header := appendHeader(room[:0], c.op(), prefix+body)
	copy(dst[start:], header)
	copy(dst[start+len(header):], dst[start+maxHeader:])
	return dst[:start+len(header)+prefix]
}

// maxHeader is the longest header of a frame that is not masked.
const maxHeader = 10

// pieces returns frames without copying their bodies, each a message of its own. The network connection
// writes them in one go, if it can.
func (c *Conn) pieces(out []transport.Outgoing) net.Buffers {
	heads := make([]byte, 0, len(out)*maxPrefix)
	pieces := make(net.Buffers, 0, 2*len(out))
	for _, o := range out {
		at := len(heads)
		heads = c.head(heads, o.Link, len(o.Frame.Body()))
		pieces = append(pieces, heads[at:], o.Frame.Body())
	}
	return pieces
}

// wrote notes that something is half written, behind which nothing makes sense any more.
func (c *Conn) wrote(err error) error {
	if err != nil {
		c.broken = true
	}
	return err
}

func (c *Conn) op() ws.OpCode {
	if c.text {
		return ws.OpText
	}
	return ws.OpBinary
}

// appendHeader appends the header of a frame that is a whole message, not masked as a server's are.
func appendHeader(dst []byte, op ws.OpCode, size int) []byte {
	const fin = 0x80
	dst = append(dst, fin|byte(op))
	switch {
	case size < 126:
		return append(dst, byte(size))
	case size < 1<<16:
		return append(dst, 126, byte(size>>8), byte(size))
	}
	n := uint64(size)
	return append(dst, 127, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// ping writes a ping, unless something is being written: then its client is known to be slow, and
// whoever writes takes care of it. A client that cannot take these few bytes at once has neither read
// nor said anything for a long time.
func (c *Conn) ping() error {
	if !c.writing.TryLock() {
		return nil
	}
	err := c.usable()
	if err == nil {
		err = c.controlLocked(ws.CompiledPing, pingPatience)
	}
	c.writing.Unlock()
	c.answerPing()
	return err
}

// pingPatience bounds how long the goroutine that pings everybody waits for one client.
const pingPatience = 10 * time.Millisecond

// pinged notes what to answer. Only the last ping of several gets its pong, as the protocol allows:
// a client that sends many and reads nothing makes nobody wait and takes no memory.
func (c *Conn) pinged(payload []byte) {
	c.mu.Lock()
	c.pong, c.owed = payload, true
	c.mu.Unlock()
	c.answerPing()
}

// answerPing sends a pong that is owed, or leaves it to whoever writes at the moment.
func (c *Conn) answerPing() {
	for c.owes() && c.writing.TryLock() {
		c.mu.Lock()
		payload, owed := c.pong, c.owed
		c.pong, c.owed = nil, false
		c.mu.Unlock()
		if owed && c.usable() == nil {
			pong := append(appendHeader(make([]byte, 0, 2+len(payload)), ws.OpPong, len(payload)), payload...)
			_, err := c.net.Write(pong)
			_ = c.wrote(err) // the next write fails as well
		}
		c.writing.Unlock()
	}
}

func (c *Conn) owes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owed
}

// controlLocked writes a control frame within a time.
func (c *Conn) controlLocked(frame []byte, within time.Duration) error {
	if err := c.net.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err := c.net.Write(frame)
	if err := c.wrote(err); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return nil // closed meanwhile: the deadline is the closing one's
	}
	return c.net.SetWriteDeadline(time.Time{})
}

// maxReason is what a close frame has room for behind its status.
const maxReason = ws.MaxControlFramePayloadSize - 2

// closeFrame makes a close frame. A reason that is too long is cut between two characters.
func closeFrame(status ws.StatusCode, reason string) []byte {
	if len(reason) > maxReason {
		n := maxReason
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	frame := appendHeader(make([]byte, 0, 4+len(reason)), ws.OpClose, 2+len(reason))
	return append(append(frame, byte(status>>8), byte(status)), reason...)
}
