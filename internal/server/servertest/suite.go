// Package servertest holds a node against what clients are promised, on every transport that it listens
// on, in every protocol and format: the conformance suite. It knows the wires alone, speaks them with
// other people's libraries, and needs a running node; internal/server runs it on real listeners.
//
//	suite.go   what is run on what
//	rules.go   the promises, one function each
//	client.go  a client of any kind, as the rules see it
//	im.go, gateway.go                the protocols
//	grpc.go, websocket.go, quic.go   the transports
//
// A transport that is added gets a dial function and its cases; everything else follows. What holds for
// the bare transports, below any protocol, is in transporttest.
package servertest

import (
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// patience is how long a test waits for what must happen, on a loaded machine.
const patience = 30 * time.Second

// Node is the node that is tried. It believes its clients who they are, except for the user "refused".
type Node struct {
	IM, HTTP, QUIC string                   // addresses of its listeners; an empty one is not tried
	Services       grpc.ClientConnInterface // what services push by
	TLS            *tls.Config              // for QUIC, and for the others if they are Secured
	Secured        bool                     // all listeners speak TLS
	// Close closes the connection that a session has.
	Close func(session string, why transport.Disconnect) error
	// Connected tells whether a session has a connection.
	Connected func(session string) bool
	// Frame is more bytes than any listener takes in one frame.
	Frame int
	// Plugged is a transport that a plugin brings. With one, only its clients are held against the rules;
	// sessions move to the other listeners and back all the same.
	Plugged *Plugged
	// Reasons are what Close can be asked for. None: whatever there is.
	Reasons []transport.Disconnect
}

// Plugged is a transport that is not one of the node's own.
type Plugged struct {
	Name    string
	Headers bool        // there is a place for headers before the first frame
	Kinds   [][2]string // its protocols and formats
	Dial    func(t *testing.T, c Case, headers map[string]string) (transporttest.Peer, error)
}

// Case is one kind of client.
type Case struct {
	Transport string // grpc, websocket, quic, or the name of what is plugged in
	Protocol  string // im, gateway
	Format    string // proto, json
}

func (c Case) String() string { return c.Transport + "/" + c.Protocol + "/" + c.Format }

// cases are the kinds of clients that a node can have.
func (n Node) cases() (all []Case) {
	for _, c := range []struct{ transport, addr, format string }{
		{"grpc", n.IM, "proto"},
		{"websocket", n.HTTP, "proto"},
		{"websocket", n.HTTP, "json"},
		{"quic", n.QUIC, "proto"},
	} {
		if c.addr == "" {
			continue
		}
		for _, protocol := range []string{"im", "gateway"} {
			all = append(all, Case{c.transport, protocol, c.format})
		}
	}
	return append(all, n.plugged()...)
}

func (n Node) plugged() (all []Case) {
	if n.Plugged == nil {
		return nil
	}
	for _, kind := range n.Plugged.Kinds {
		all = append(all, Case{n.Plugged.Name, kind[0], kind[1]})
	}
	return all
}

// tried are the cases that the rules are checked for.
func (n Node) tried() []Case {
	if n.Plugged != nil {
		return n.plugged()
	}
	return n.cases()
}

// headers tells whether clients of a case say something before their first frame.
func (n Node) headers(c Case) bool {
	if n.Plugged != nil && c.Transport == n.Plugged.Name {
		return n.Plugged.Headers
	}
	return c.Transport != "quic"
}

// Run holds a node against the rules, each of them a subtest for each kind of client.
func Run(t *testing.T, n Node) {
	t.Helper()
	for _, c := range n.tried() {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			for _, rule := range []struct {
				name  string
				check func(*trial)
			}{
				{"handshake", handshake},
				{"refused", refused},
				{"order", order},
				{"kept", kept},
				{"resume", resume},
				{"resume on another transport", resumeElsewhere},
				{"an older connection is closed", taken},
				{"half-open", halfOpen},
				{"slow reader", slow},
				{"malformed frame", malformed},
				{"oversized frame", oversized},
				{"close codes", codes},
				{"leaving", leaving},
			} {
				t.Run(rule.name, func(t *testing.T) {
					t.Parallel()
					rule.check(&trial{T: t, node: n, kind: c})
				})
			}
		})
	}
}

// trial is one rule on one kind of client.
type trial struct {
	*testing.T
	node Node
	kind Case
}

// user is one that no other trial has.
func (t *trial) user() string { return t.Name() }

// link is a client's connection, below any protocol. At its end Recv returns the transport.Disconnect
// that the node gave, or what the client's library makes of it.
type link = transporttest.Peer

// dial connects. headers are what is said before the first frame, where there is a place for it.
func (t *trial) dial(c Case, headers map[string]string) (link, error) {
	if p := t.node.Plugged; p != nil && c.Transport == p.Name {
		return p.Dial(t.T, c, headers)
	}
	switch c.Transport {
	case "grpc":
		return dialGRPC(t.T, t.node, c.Protocol, headers)
	case "websocket":
		return dialWebSocket(t.T, t.node, c, headers)
	case "quic":
		return dialQUIC(t.T, t.node.QUIC, c.Protocol, t.node.TLS)
	}
	return nil, errors.ErrUnsupported
}
