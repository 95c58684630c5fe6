package plugin

import (
	"context"
	"errors"
	"time"
)

// Transport is the capability to carry sessions over something that the node itself does not listen on:
// a framing of one's own on TCP, a Unix socket, KCP. What it carries, and who may, is the node's business.
//
// A Transport that is a Starter opens what it listens on in Start, so that a node whose port is taken does
// not start.
type Transport interface {
	// AcceptConns takes connections in until ctx is done, and then returns nil, soon. It calls serve for
	// each, in a goroutine of its own, and as soon as there is a connection: who is not to be served, since
	// the node has as many connections as it takes, is starting or is stopping, is told so by serve.
	// serve returns when the node is done with the connection, which it has closed then.
	//
	// Connections outlive ctx: the node closes them one after another while it stops, and those that are
	// there when AcceptConns has returned a few seconds later. Whoever opens what it listens on in Start
	// closes that in Stop at the latest.
	//
	// If AcceptConns fails, panics or returns before ctx is done, that is logged and counted, and it is
	// called again after the plugin's retry_after.
	AcceptConns(ctx context.Context, serve func(Conn)) error
}

// Conn is one connection of a client. Open is called first, then Read and Write by one goroutine each at a
// time, beside each other. Close and Remote may be called beside everything. A method that panics costs
// its connection.
type Conn interface {
	// Open does what has to be done before there are frames, and returns what is known of the client. ctx
	// ends after session.start_timeout; Close is called then. An error by Refused is told to the client
	// with its Reason; any other one, that it has broken the protocol.
	Open(ctx context.Context) (Opening, error)
	// Read returns the next frame, a whole message of the protocol, which is the caller's from then on;
	// io.EOF if the client has said that this was all, which ends its session; and any other error when the
	// connection was lost or closed, after which the client may come back to it. A process that is killed
	// ends its connections like one that means it, so that saying so takes a word. A client that is gone without a word is lost too: whoever carries it finds out, in a
	// minute or so. A frame of more than limit bytes is ErrTooLarge, and nothing is allocated for it:
	// clients may lie about lengths.
	Read(limit int) ([]byte, error)
	// Write writes whole frames in their order, in one go if it can. It blocks until the client has taken
	// enough of what was written before: the node bounds what waits meanwhile, and for how long
	// (session.stall_timeout). Success means buffered, not received. The frames are not the plugin's:
	// it does not change them, nor keep them when it has returned.
	Write(frames [][]byte) error
	// Close ends the connection and tells the client why, behind what was written before, if it can. It
	// makes Open, Read and Write return. It is called once, by the node alone, whatever ended first. ctx
	// ends after two seconds: then nothing waits for the client any more. One that is done from
	// the start means that nothing is to be told.
	Close(ctx context.Context, why Disconnect)
	// Remote is the client's address, host:port where it has one: connections of one address are
	// counted together. It does not block.
	Remote() string
}

// ErrTooLarge is Read's error of a frame that is longer than its limit. The client is told the limit.
var ErrTooLarge = errors.New("the frame is too large")

// Protocol is what a client speaks.
type Protocol string

// The protocols.
const (
	IM      Protocol = "im"      // frames are MessageRequest and MessageResponse of im.v1
	Gateway Protocol = "gateway" // frames are ClientRequest and ServerPush of gateway.v1
)

// Encoding is how it writes messages down.
type Encoding string

// The encodings.
const (
	Protobuf Encoding = "proto"
	JSON     Encoding = "json"
)

// Opening is what is known of a client before its first frame.
type Opening struct {
	Protocol Protocol
	Encoding Encoding
	// Header is what the client has said of itself, under the keys that headers have on WebSocket, in
	// lower case: authorization, user-id, gid, device-id, and with im.v1 room-id, session-id,
	// resume-ticket, last-link-seq and capabilities. What it shows is for the authenticator to judge, as on
	// every transport.
	//
	// Nil means that the transport has no place for it. Then the first frame says it, as over QUIC: with
	// im.v1 a HEARTBEAT with this as its metadata, with the gateway protocol START, which may say it in any
	// case. The client is greeted in a frame.
	Header map[string]string
}

// Disconnect is why a connection ends.
type Disconnect struct {
	// Code is of the node's table of close codes. From 3000 on the client should come back, from 4000 on
	// not.
	Code   int
	Reason string
	// RetryAfter is how long the client had better wait before it comes back; 0: as it likes.
	RetryAfter time.Duration
}
