package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
)

// Client is one user's session with the IM service. See the package documentation.
type Client struct {
	cfg     Config
	source  source
	session session
	sends   sends
	queue   queue
	seen    handed // touched by tasks of queue only
	joined  rooms
	wish    wish
	away    atomic.Bool
	stats   stats
	pacer   pacer

	mu   sync.Mutex
	life *life       // nil: not connected, and nobody tries
	conn *connection // nil: no connection at present
	next *connection // open, and to be used after conn; see move
}

// life is the time from a Connect to its Disconnect, or until the client gives up.
type life struct {
	ctx    context.Context         // bounds attempts and calls, not the stream: that may end in peace
	cancel context.CancelCauseFunc // by Disconnect, under Client.mu, with ErrDisconnected; or by finish

	begun chan struct{} // closed when the first attempt has ended
	err   error         // of that attempt; set before begun is closed

	once sync.Once     // of Disconnect
	over chan struct{} // closed when nothing of this life runs any more
}

// NewClient returns a client that owns its connections. It does not connect yet.
func NewClient(config *Config) (*Client, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	cfg := config.withDefaults()
	setDefault(&cfg.MaxRetries, defaultMaxRetries)
	return newClient(cfg, newDialer(&cfg)), nil
}

// NewClientWithGRPC is NewClientWithGRPCAndConfig for a user without any wishes: all his rooms
// are followed, and nothing is done with what arrives but acknowledging it.
func NewClientWithGRPC(stub imv1.IMServiceClient, userID string) (*Client, error) {
	return NewClientWithGRPCAndConfig(stub, &Config{UserID: userID})
}

// NewClientWithGRPCAndConfig returns a client that works over somebody else's connection, which
// any number of clients may share. The client never closes it. When its stream breaks it opens
// another one on the same stub, whatever the stub then is connected to; unless Config.MaxRetries
// says otherwise, it tries that until Disconnect, since it is for the stub's owner to mend or to
// move the connection.
//
// ServiceName, Discovery, LoadBalancer, Services, TLS and DialOptions are the owner's business as
// well and have no effect here; everything else means what it means for NewClient. Calls about rooms and
// their members need Config.RoomService, of the same connection.
func NewClientWithGRPCAndConfig(stub imv1.IMServiceClient, config *Config) (*Client, error) {
	if stub == nil {
		return nil, errors.New("client: no IMServiceClient")
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	cfg := config.withDefaults()
	setDefault(&cfg.MaxRetries, forEver)
	return newClient(cfg, shared(stub, cfg.RoomService)), nil
}

func newClient(cfg Config, from source) *Client {
	if cfg.Backoff == nil {
		cfg.Backoff = fullJitter(cfg.RetryInterval)
	}
	c := &Client{cfg: cfg, source: from}
	c.queue.room = make(chan struct{}, 1)
	return c
}

// SetServices replaces the instances to connect to, from the next connection on. With a
// Discovery, or over somebody else's connection, the instances are found and this has no effect.
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
func (c *Client) alive() bool { return c.living() != nil }

// living returns the present life; nil when there is none, or not for long.
func (c *Client) living() *life {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life == nil || c.life.isClosing() {
		return nil
	}
	return c.life
}

func (l *life) isClosing() bool { return l.ctx.Err() != nil }
