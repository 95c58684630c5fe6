// Package quicstream carries sessions over QUIC: one bidirectional stream for each connection, which
// the client opens. A frame on it is its length, four bytes, big-endian, and then its bytes. A client
// ends its session by closing its side of the stream; a connection that ends in any other way was
// lost. The node says why it closes a connection with the code and reason of a transport.Disconnect as
// QUIC's application error.
//
// A connection owns no goroutine beside those of quic-go.
package quicstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

const (
	// linger is how long a client may take to hang up after it was told that this was all. What it has
	// not received by then is lost, since QUIC drops what is on its way when a connection is closed.
	linger = time.Second
	// maxWords is the most bytes of what a connection is closed with: they have to fit a packet.
	maxWords = 1000
)

// Conn is the stream of a QUIC connection as a transport.Conn.
type Conn struct {
	conn   *quic.Conn
	stream *quic.Stream
	format *frame.Format
	limit  uint32

	writing  sync.Mutex // held while frames are written; see Finish
	finished bool
}

var _ transport.Conn = (*Conn)(nil)

// New makes a connection of the stream that its client has opened. Inbound frames have at most
// maxFrame bytes.
func New(conn *quic.Conn, stream *quic.Stream, format *frame.Format, maxFrame int) *Conn {
	return &Conn{conn: conn, stream: stream, format: format, limit: uint32(maxFrame)}
}

// Peer implements transport.Peered.
func (c *Conn) Peer() transport.Peer {
	return transport.Peer{Transport: "quic", Remote: c.conn.RemoteAddr().String()}
}

// Read implements transport.Conn. A frame that is longer than allowed, and the end of the stream
// inside a frame, close the connection.
func (c *Conn) Read() ([]byte, error) {
	data, err := readFrame(c.stream, c.limit)
	if broken, ok := errors.AsType[breach](err); ok {
		return nil, c.refuse("%s", broken)
	}
	return data, err
}

func (c *Conn) refuse(format string, args ...any) error {
	why := transport.BadRequest.Because(format, args...)
	c.Close(why)
	return why
}

// Write implements transport.Conn. All frames go into one write.
func (c *Conn) Write(out []transport.Outgoing) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.finished {
		return transport.ConnLost
	}
	buf, _ := buffers.Get().(*[]byte)
	defer keep(buf)
	data := (*buf)[:0]
	for _, o := range out {
		data = c.append(data, o)
	}
	*buf = data
	_, err := c.stream.Write(data)
	return err
}

// append appends a frame with its length and its number.
func (c *Conn) append(data []byte, o transport.Outgoing) []byte {
	start := len(data)
	data = append(data, make([]byte, header)...)
	if o.Link > 0 && c.format.Number != nil {
		data = c.format.Number(data, o.Link)
	}
	data = append(data, o.Frame.Body()...)
	binary.BigEndian.PutUint32(data[start:], uint32(len(data)-start-header))
	return data
}

// buffers are for writes: quic-go has copied or sent all of a buffer when Write returns.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// largest is the size up to which a buffer is kept.
const largest = 128 << 10

func keep(buf *[]byte) {
	if cap(*buf) <= largest {
		buffers.Put(buf)
	}
}

// Close implements transport.Conn. The first reason counts. What was written and is still on its way
// may not arrive; Finish waits for it.
func (c *Conn) Close(why transport.Disconnect) {
	// The error is that of a connection that has ended before.
	_ = c.conn.CloseWithError(quic.ApplicationErrorCode(why.Code), why.Words(maxWords))
}

// Finish ends a connection whose handler is done. The stream ends behind what was written; the client
// is given a second to receive it and to hang up, and then it is closed.
func (c *Conn) Finish(why transport.Disconnect) {
	c.stream.CancelRead(quic.StreamErrorCode(why.Code)) // nobody reads any more
	if c.endWriting() {
		t := time.NewTimer(linger)
		defer t.Stop()
		select {
		case <-c.conn.Context().Done():
		case <-t.C:
		}
	}
	c.Close(why)
}

// endWriting is false when a write is blocked, or the connection has ended.
func (c *Conn) endWriting() bool {
	if !c.writing.TryLock() {
		return false
	}
	defer c.writing.Unlock()
	c.finished = true
	return c.stream.Close() == nil && c.conn.Context().Err() == nil
}

// String names the client, for logs.
func (c *Conn) String() string { return fmt.Sprint(c.conn.RemoteAddr()) }
