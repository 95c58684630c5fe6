// Package socket carries Hermod's sessions over a Unix or TCP socket. It is what an author of a transport
// writes: it knows Hermod's public packages and nothing of its inside.
//
// A client begins with a line of JSON, a Hello, which says what it speaks and who it is. Then both sides
// send frames: four bytes of length, big-endian, and the bytes. The length 0xffffffff says that none follows:
// with it a client ends its session, while one that merely hangs up may come back to it. Behind that of the
// node comes a line of JSON, a Goodbye, which says why.
package socket

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/game-im/hermod/plugin"
)

// Socket is the plugin.
type Socket struct {
	keys struct {
		Network string `json:"network"` // unix or tcp
		Address string `json:"address"`
	}
	lis net.Listener
}

var (
	_ plugin.Transport = (*Socket)(nil)
	_ plugin.Validator = (*Socket)(nil)
	_ plugin.Starter   = (*Socket)(nil)
	_ plugin.Stopper   = (*Socket)(nil)
)

// New returns the plugin, which listens on a free port of the loopback unless it is told otherwise.
func New() *Socket {
	s := &Socket{}
	s.keys.Network, s.keys.Address = "tcp", "127.0.0.1:0"
	return s
}

// Name is what the configuration calls it.
func (*Socket) Name() string { return "socket" }

// Config returns its keys.
func (s *Socket) Config() any { return &s.keys }

// Validate checks them.
func (s *Socket) Validate() error {
	if s.keys.Network != "unix" && s.keys.Network != "tcp" {
		return fmt.Errorf("network is %q; unix and tcp are allowed", s.keys.Network)
	}
	if s.keys.Address == "" {
		return errors.New("address is empty; a path or host:port is needed")
	}
	return nil
}

// Start opens the socket: a node whose port is taken does not start.
func (s *Socket) Start(ctx context.Context) (err error) {
	s.lis, err = (&net.ListenConfig{}).Listen(ctx, s.keys.Network, s.keys.Address)
	return err
}

// Addr is where it listens, once it has started.
func (s *Socket) Addr() net.Addr { return s.lis.Addr() }

// AcceptConns takes connections in until the node stops.
func (s *Socket) AcceptConns(ctx context.Context, serve func(plugin.Conn)) error {
	defer context.AfterFunc(ctx, func() { _ = s.lis.Close() })() // which is why Accept returns
	for {
		c, err := s.lis.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		go serve(newConn(c))
	}
}

// Stop closes the socket of a node that never served.
func (s *Socket) Stop(context.Context) error {
	if err := s.lis.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
