// Package grpcstream carries sessions over bidirectional gRPC streams. A server that uses it needs
// three options: grpc.ForceServerCodecV2(Codec()), grpc.InTapHandle(Tap), and handlers that call
// New at the start and Finish at the end.
package grpcstream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Trailers that carry a transport.Disconnect, whatever the status of the call.
const (
	TrailerCode   = "disconnect-code"
	TrailerReason = "disconnect-reason"
	// TrailerReasonText is the reason as it is, UTF-8, where gRPC's text trailers cannot carry it: they have
	// printable ASCII only, and TrailerReason then has a question mark for every other character.
	TrailerReasonText = "disconnect-reason-bin"
	TrailerRetry      = "disconnect-retry-ms" // milliseconds; absent: nothing is advised
)

// Conn is a gRPC stream as a transport.Conn.
type Conn struct {
	stream grpc.ServerStream
	cancel func()
	format *frame.Format
	batch  bool
	plain  bool // what is written is not compressed

	writing  sync.Mutex // held while a message is written; see Finish
	finished bool

	mu  sync.Mutex
	why *transport.Disconnect
}

var _ transport.Conn = (*Conn)(nil)

// New makes a connection of a stream. With batch, frames that are written together go into one
// envelope.
func New(stream grpc.ServerStream, format *frame.Format, batch bool) (*Conn, error) {
	cancel := CancelOf(stream.Context())
	if cancel == nil {
		return nil, errors.New("grpcstream: the server lacks grpc.InTapHandle(grpcstream.Tap)")
	}
	return &Conn{stream: stream, cancel: cancel, format: format, batch: batch, plain: !compresses(stream)}, nil
}

// compresses tells whether what is written on a stream is compressed: gRPC answers in kind, if the program has linked
// what it takes.
func compresses(stream grpc.ServerStream) bool {
	s, ok := grpc.ServerTransportStreamFromContext(stream.Context()).(interface{ SendCompress() string })
	return ok && s.SendCompress() != ""
}

// Peer implements transport.Peered.
func (c *Conn) Peer() transport.Peer {
	p := transport.Peer{Transport: "grpc"}
	if from, ok := peer.FromContext(c.stream.Context()); ok {
		p.Remote = from.Addr.String()
	}
	return p
}

// Read implements transport.Conn.
func (c *Conn) Read() ([]byte, error) {
	var in raw
	if err := c.stream.RecvMsg(&in); err != nil {
		return nil, err
	}
	return in.in, nil
}

// Write implements transport.Conn.
func (c *Conn) Write(out []transport.Outgoing) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.finished {
		return transport.ConnLost
	}
	if c.batch && len(out) > 1 {
		return c.stream.SendMsg(&raw{out: c.envelope(out)})
	}
	for _, o := range out {
		if err := c.writeOne(o); err != nil {
			return err
		}
	}
	return nil
}

// writeOne writes a frame by itself. Without a number it is the same message for everybody, and
// what gRPC makes of it is kept with the frame, unless it is compressed.
func (c *Conn) writeOne(o transport.Outgoing) error {
	if o.Link > 0 {
		number := c.format.Number(make([]byte, 0, maxNumber), o.Link)
		return c.stream.SendMsg(&raw{out: mem.BufferSlice{mem.SliceBuffer(number), mem.SliceBuffer(o.Frame.Body())}})
	}
	if !c.plain {
		return c.stream.SendMsg(&raw{out: mem.BufferSlice{mem.SliceBuffer(o.Frame.Body())}})
	}
	if p := o.Frame.Prepared.Load(); p != nil {
		return c.stream.SendMsg(*p)
	}
	prepared := &grpc.PreparedMsg{}
	if err := prepared.Encode(c.stream, &raw{out: mem.BufferSlice{mem.SliceBuffer(o.Frame.Body())}}); err != nil {
		return fmt.Errorf("prepare a frame: %w", err)
	}
	var p any = prepared
	o.Frame.Prepared.Store(&p)
	return c.stream.SendMsg(prepared)
}

// maxNumber is room for a tag and a varint.
const maxNumber = 12

// envelope puts frames one after another into one buffer: a copy of at most a write's worth is
// cheaper than a list of small buffers.
func (c *Conn) envelope(out []transport.Outgoing) mem.BufferSlice {
	size := maxNumber
	for _, o := range out {
		size += len(o.Frame.Item())
	}
	buf := envelopes.Get(size)
	data := (*buf)[:0]
	if out[0].Link > 0 {
		data = c.format.Number(data, out[0].Link)
	}
	for _, o := range out {
		data = append(data, o.Frame.Item()...)
	}
	*buf = data
	return mem.BufferSlice{mem.NewBuffer(buf, envelopes)}
}

// envelopes keeps the buffers of envelopes. gRPC's own pool clears each buffer before it hands it
// out, which costs as much as the copy.
var envelopes = &bufferPool{}

// bufferPool implements mem.BufferPool. What is larger than a usual write is not kept.
type bufferPool struct{ small, large sync.Pool }

const (
	smallBuffer = 8 << 10
	largeBuffer = 80 << 10
)

// Get implements mem.BufferPool.
func (p *bufferPool) Get(length int) *[]byte {
	pool, size := &p.small, smallBuffer
	switch {
	case length > largeBuffer:
		b := make([]byte, length)
		return &b
	case length > smallBuffer:
		pool, size = &p.large, largeBuffer
	}
	b, ok := pool.Get().(*[]byte)
	if !ok {
		fresh := make([]byte, size)
		b = &fresh
	}
	*b = (*b)[:length]
	return b
}

// Put implements mem.BufferPool.
func (p *bufferPool) Put(b *[]byte) {
	switch cap(*b) {
	case smallBuffer:
		p.small.Put(b)
	case largeBuffer:
		p.large.Put(b)
	}
}

// Close implements transport.Conn. The first reason counts.
func (c *Conn) Close(why transport.Disconnect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return
	}
	c.why = &why
	reason := printable(why.Reason)
	trailer := metadata.Pairs(
		TrailerCode, strconv.FormatUint(uint64(why.Code), 10),
		TrailerReason, reason)
	if reason != why.Reason {
		trailer.Set(TrailerReasonText, why.Reason)
	}
	if why.Retry > 0 {
		trailer.Set(TrailerRetry, strconv.FormatInt(why.Retry.Milliseconds(), 10))
	}
	c.stream.SetTrailer(trailer)
	c.cancel()
}

// printable is a text as gRPC's text trailers can carry it. With anything else in one of them, a client may see
// none at all.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}

// Finish ends writing and returns the status with which the handler returns: Canceled if the
// connection was closed, which is what gRPC has told the client by then and which the trailers
// explain, or else err. Nothing touches the stream afterwards.
func (c *Conn) Finish(err error) error {
	c.cancel() // lets go of a write that is blocked
	c.writing.Lock()
	c.finished = true
	c.writing.Unlock()

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil || c.why.Code == transport.Ended.Code {
		return err
	}
	return status.Error(codes.Canceled, c.why.Reason)
}
