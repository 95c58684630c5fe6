package socket_test

import (
	"errors"
	"net"
	"testing"

	"example.com/outside/socket"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/nodetest"
	"github.com/game-im/hermod/plugin/plugintest"
)

func TestPlugin(t *testing.T) {
	plugintest.Plugin(t, func() plugin.Plugin { return socket.New() })
}

// TestTransport holds the socket against all that clients are promised on Hermod's own transports, in both
// protocols and encodings: resuming, slow readers, frames that are too large, refusals, codes.
func TestTransport(t *testing.T) {
	s := socket.New()
	nodetest.Transport(t, s, nodetest.Clients{
		Header: true,
		Dial: func(t *testing.T, o plugin.Opening) (nodetest.Client, error) {
			conn, err := net.Dial(s.Addr().Network(), s.Addr().String())
			if err != nil {
				return nil, err
			}
			under, freeze := nodetest.Freezable(t, conn)
			c, err := socket.NewClient(under, socket.Hello{Protocol: o.Protocol, Encoding: o.Encoding, Header: o.Header})
			return &client{c, freeze}, err
		},
	})
}

// client is a nodetest.Client.
type client struct {
	*socket.Client
	freeze func()
}

func (c *client) Recv() ([]byte, error) {
	frame, err := c.Client.Recv()
	var closed socket.Closed
	if errors.As(err, &closed) {
		err = nodetest.Closed(closed)
	}
	return frame, err
}

func (c *client) Cut() { _ = c.Close() }

func (c *client) Vanish() { c.freeze() }
