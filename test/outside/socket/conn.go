package socket

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"time"

	"github.com/game-im/hermod/plugin"
)

// maxHello is the longest first line, with room for a token.
const maxHello = 16 << 10

// last is the length that says that no frame follows.
const last = math.MaxUint32

// Hello is what a client says before its first frame.
type Hello struct {
	Protocol plugin.Protocol   `json:"protocol"`
	Encoding plugin.Encoding   `json:"encoding"`
	Header   map[string]string `json:"header"`
}

// Goodbye is what it is told at the end.
type Goodbye struct {
	Code       int    `json:"code"`
	Reason     string `json:"reason"`
	RetryAfter int64  `json:"retry_after_ms,omitempty"`
}

// conn is a plugin.Conn.
type conn struct {
	net    net.Conn
	reader *bufio.Reader

	writing sync.Mutex // held while anything is written: Close comes beside Write
	broken  bool       // part of a frame was written
}

func newConn(c net.Conn) *conn { return &conn{net: c, reader: bufio.NewReaderSize(c, maxHello)} }

// Open reads the Hello.
func (c *conn) Open(context.Context) (plugin.Opening, error) {
	line, err := c.reader.ReadSlice('\n') // of no more than the reader's size
	if errors.Is(err, bufio.ErrBufferFull) {
		return plugin.Opening{}, plugin.Refused("the first line has more than %d bytes", maxHello)
	}
	if err != nil {
		return plugin.Opening{}, err
	}
	var h Hello
	if err := json.Unmarshal(line, &h); err != nil {
		return plugin.Opening{}, plugin.Refused("the first line is no hello: %v", err)
	}
	if h.Protocol != plugin.IM && h.Protocol != plugin.Gateway || h.Encoding != plugin.Protobuf && h.Encoding != plugin.JSON {
		return plugin.Opening{}, plugin.Refused("protocol %q and encoding %q are not known", h.Protocol, h.Encoding)
	}
	if h.Header == nil {
		h.Header = map[string]string{}
	}
	return plugin.Opening{Protocol: h.Protocol, Encoding: h.Encoding, Header: h.Header}, nil
}

// Read reads a frame. A client that has vanished is found out by the system's keepalive, which Go switches on.
func (c *conn) Read(limit int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		return nil, io.ErrUnexpectedEOF // a process that is killed ends its connections in order, too
	}
	length := binary.BigEndian.Uint32(head[:])
	if length == last {
		return nil, io.EOF
	}
	if int64(length) > int64(limit) {
		return nil, plugin.ErrTooLarge
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(c.reader, data); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return data, nil
}

// Write writes frames in one go.
func (c *conn) Write(frames [][]byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	pieces := make(net.Buffers, 0, 2*len(frames))
	for _, f := range frames {
		pieces = append(pieces, binary.BigEndian.AppendUint32(nil, uint32(len(f))), f)
	}
	_, err := pieces.WriteTo(c.net)
	c.broken = c.broken || err != nil
	return err
}

// Close says why behind the last whole frame, and then waits until the client has hung up: a socket that is
// closed with something unread loses what is on its way.
func (c *conn) Close(ctx context.Context, why plugin.Disconnect) {
	defer func() { _ = c.net.Close() }() // nothing could be done about a failure
	deadline, ok := ctx.Deadline()
	if !ok || ctx.Err() != nil {
		return
	}
	half := time.Until(deadline) / 2
	if c.net.SetWriteDeadline(time.Now().Add(half)) != nil || !c.farewell(why) { // ends a Write that is blocked
		return
	}
	if closer, ok := c.net.(interface{ CloseWrite() error }); !ok || closer.CloseWrite() != nil {
		return
	}
	if c.net.SetReadDeadline(deadline) == nil {
		_, _ = io.Copy(io.Discard, c.net) // until the client hangs up, or the deadline
	}
}

// farewell is false when it cannot be said.
func (c *conn) farewell(why plugin.Disconnect) bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.broken {
		return false
	}
	line, err := json.Marshal(Goodbye{why.Code, why.Reason, why.RetryAfter.Milliseconds()})
	if err != nil {
		return false
	}
	_, err = c.net.Write(append(append(binary.BigEndian.AppendUint32(nil, last), line...), '\n'))
	return err == nil
}

// Remote is the client's address; a Unix socket has none.
func (c *conn) Remote() string { return c.net.RemoteAddr().String() }
