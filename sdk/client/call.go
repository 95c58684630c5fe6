package client

import (
	"context"
	"errors"
	"fmt"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call makes one unary call of IMService on the present connection. A status other than success is an
// error as well.
func (c *Client) call(ctx context.Context, roomID string, do func(context.Context, imv1.IMServiceClient) (*imv1.ResponseStatus, error)) error {
	return c.callAt(ctx, roomID, func(ctx context.Context, ep *endpoint) (*imv1.ResponseStatus, error) { return do(ctx, ep.stub) })
}

// callAt is call for any service of the connection's endpoint.
func (c *Client) callAt(ctx context.Context, roomID string, do func(context.Context, *endpoint) (*imv1.ResponseStatus, error)) error {
	cn, l := c.active()
	if cn == nil {
		return ErrNotConnected
	}
	ctx, done := c.bound(ctx)
	defer done()
	ctx, unbind := l.bind(ctx)
	defer unbind()
	defer cn.hold()()
	ctx, err := c.identify(ctx)
	if err != nil {
		return err
	}
	st, err := do(ctx, cn.ep)
	if err != nil {
		return callError(ctx, l, cn, err)
	}
	return statusError(st, roomID)
}

// active returns the present connection and the life it belongs to; nil, nil: there is none.
func (c *Client) active() (*connection, *life) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil, nil
	}
	return c.conn, c.life
}

// bound returns ctx with the request timeout unless it has a deadline.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.cfg.RequestTimeout)
}

// callError says why a call failed. What gRPC says of a call that this side has ended is true of
// any: the cause is put before it.
func callError(ctx context.Context, l *life, cn *connection, err error) error {
	cause := context.Cause(ctx)
	if cause == nil { // the life has just ended, and nobody has told ctx yet
		cause = context.Cause(l.ctx)
	}
	if cause == nil && status.Code(err) == codes.DeadlineExceeded { // the other side's clock was faster
		cause = context.DeadlineExceeded
	}
	switch {
	case errors.Is(cause, ErrDisconnected):
		return ErrDisconnected
	case cause != nil:
		return fmt.Errorf("client: %w: %w", cause, err)
	case cn.ctx.Err() != nil && status.Code(err) == codes.Canceled:
		return fmt.Errorf("client: the connection was lost during the call: %w", context.Cause(cn.ctx))
	case status.Code(err) == codes.Unimplemented:
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

func statusError(st *imv1.ResponseStatus, roomID string) error {
	if st.GetCode() == 0 {
		return nil
	}
	return &RefusedError{Reason: st.GetDetails()[keyReason], Message: st.GetMessage(), RoomID: roomID}
}
