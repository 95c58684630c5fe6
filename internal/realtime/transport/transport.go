// Package transport defines a connection as the session core sees it, whatever carries it, and the
// table of reasons for which one ends. Implementations are in its sub-packages.
package transport

import "github.com/game-im/hermod/internal/realtime/frame"

// Conn is one connection of a session. Read is called by one goroutine and Write by one other at a
// time; Close may be called by anybody, any number of times, and makes both return.
type Conn interface {
	// Read returns the next inbound frame, io.EOF after a clean end by the client, and any other
	// error when the connection was lost or closed.
	Read() ([]byte, error)
	// Write writes frames in order. It may block until the client has taken enough of what was
	// written before. Its success means buffered, not received.
	Write(out []Outgoing) error
	// Close ends the connection and tells the client why.
	Close(why Disconnect)
}

// Peer is the other end of a connection.
type Peer struct {
	Transport string // grpc, websocket, quic
	Remote    string // its address
}

// Peered is a Conn that knows its other end. Peer may be called by anybody.
type Peered interface{ Peer() Peer }

// Eager is a Conn that can be written to without waiting for its client.
type Eager interface {
	Conn
	// TryWrite writes like Write, but only what the client takes at once. When that is not all, the
	// connection keeps the rest, and until Flush has returned nothing else is written.
	TryWrite(out []Outgoing) (whole bool, err error)
	// Flush writes the rest, waiting for the client like Write.
	Flush() error
}

// Outgoing is one frame to be written.
type Outgoing struct {
	Frame *frame.Encoded
	Link  uint64 // the frame's number in its session; 0: the client does not count
}
