package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// UnicastClient pushes through one gateway.
type UnicastClient struct {
	addr string
	cfg  config

	mu     sync.RWMutex
	conn   *grpc.ClientConn // nil unless connected
	closed bool             // Close was called since the last Connect
}

// NewUnicastClient returns a client of the gateway at gateAddr, host:port or any other gRPC target. It
// does not connect. Without options calls are in plain text and carry no token.
func NewUnicastClient(gateAddr string, opts ...Option) *UnicastClient {
	c := &UnicastClient{addr: gateAddr, cfg: config{timeout: defaultTimeout}}
	for _, o := range opts {
		o(&c.cfg)
	}
	return c
}

// Connect makes the client usable. It does not wait for the gateway: one that is down shows at the
// first call. On a client that is connected it does nothing; one that was closed it opens again. It
// fails for an address or options that cannot be right.
func (c *UnicastClient) Connect() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		return nil
	}
	switch {
	case c.addr == "":
		return errors.New("upstream: the gateway's address is empty; host:port is required")
	case c.cfg.timeout <= 0:
		return fmt.Errorf("upstream: WithTimeout(%v) is too short; a positive duration is required", c.cfg.timeout)
	}
	conn, err := grpc.NewClient(c.addr, c.cfg.dialOptions()...)
	if err != nil {
		return fmt.Errorf("upstream: gateway %q: %w", c.addr, err)
	}
	c.conn, c.closed = conn, false
	return nil
}

// Close ends the connection and fails the calls that are under way. On a client that is not connected
// it does nothing.
func (c *UnicastClient) Close() error {
	c.mu.Lock()
	conn := c.conn
	c.conn, c.closed = nil, c.closed || conn != nil
	c.mu.Unlock()
	if conn == nil {
		return nil
	}
	return conn.Close()
}

// connected returns the connection.
func (c *UnicastClient) connected() (*grpc.ClientConn, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	switch {
	case c.closed:
		return nil, ErrClosed
	case c.conn == nil:
		return nil, ErrNotConnected
	}
	return c.conn, nil
}

// invoke makes a call with what the client and the options add to it, again and again while the
// gateway is unavailable if the call takes effect only once.
func (c *UnicastClient) invoke(ctx context.Context, o callOptions, call func(context.Context, gatewayv1.GatewayServiceClient) error) error {
	return c.bounded(ctx, o, func(ctx context.Context, conn *grpc.ClientConn) error {
		return call(ctx, gatewayv1.NewGatewayServiceClient(conn))
	})
}

// bounded is unbounded for calls that are answered at once: without a deadline of their own they have
// that of the client.
func (c *UnicastClient) bounded(ctx context.Context, o callOptions, call func(context.Context, *grpc.ClientConn) error) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.timeout+o.wait)
		defer cancel()
	}
	return c.unbounded(ctx, o, call)
}

func (c *UnicastClient) unbounded(ctx context.Context, o callOptions, call func(context.Context, *grpc.ClientConn) error) error {
	conn, err := c.connected()
	if err != nil {
		return err
	}
	ctx = metadata.AppendToOutgoingContext(ctx, o.header...)
	return retry(ctx, o.repeatable || o.key != "", func() error {
		authorized, err := c.cfg.authorize(ctx) // anew each time: the last one may have been refused
		if err != nil {
			return err
		}
		return call(authorized, conn)
	})
}
