package client

import (
	"context"
	"errors"
	"sync"

	"github.com/game-im/hermod/sdk/discovery"
)

// Client is one user's session with the IM service. See the package documentation.
type Client struct {
	cfg     Config
	source  source
	session session
	sends   *sends
	queue   *queue
	seen    places // touched by tasks of queue only
	joined  rooms

	mu   sync.Mutex
	life *life       // nil: not connected, and nobody tries
	conn *connection // nil: no connection at present
}

// life is the time from a Connect to its Disconnect, or until the client gives up.
type life struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	begun chan struct{} // closed when the first attempt has ended
	err   error         // of that attempt; set before begun is closed

	closing chan struct{} // closed by Disconnect
	once    sync.Once     // closes it
	over    chan struct{} // closed when nothing of this life runs any more
}

// NewClient returns a client that owns its connections. It does not connect yet.
func NewClient(config *Config) (*Client, error) {
	if config == nil {
		return nil, errors.New("client: no Config")
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	cfg := config.withDefaults()
	return newClient(cfg, newDialer(&cfg)), nil
}

func newClient(cfg Config, from source) *Client {
	if cfg.Backoff == nil {
		cfg.Backoff = fullJitter(cfg.RetryInterval)
	}
	q := newQueue()
	return &Client{cfg: cfg, source: from, sends: newSends(), queue: q, seen: places{}}
}

// SetServices replaces the instances to connect to, from the next connection on. With a
// Discovery the instances are found and this has no effect.
func (c *Client) SetServices(services []*discovery.ServiceInfo) {
	if s, ok := c.source.(interface {
		setServices([]*discovery.ServiceInfo)
	}); ok {
		s.setServices(services)
	}
}

// IsConnected tells whether there is a connection now.
func (c *Client) IsConnected() bool { return c.current() != nil }

func (c *Client) current() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// alive tells whether there is a connection, or somebody who tries to get one back.
func (c *Client) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life != nil && !c.life.isClosing()
}

func (l *life) isClosing() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}
