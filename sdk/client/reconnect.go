package client

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// run reads one connection after the other until the life ends. It is the client's one
// permanent goroutine.
func (c *Client) run(l *life, cn *connection) {
	defer close(l.over)
	growStack()
	for cn != nil {
		err := c.read(cn)
		if next := c.leave(); next != nil {
			if c.final(err) { // it was told to go, not to move
				next.end(nil)
			} else if c.goOn(l, cn, next) {
				cn = next
				continue
			}
		}
		if l.isClosing() {
			err = ErrDisconnected
		}
		c.detach(cn, err)
		if errors.Is(err, ErrDisconnected) || c.final(err) {
			c.session.forget()
			c.finish(l, err)
			c.reportLoss(err)
			c.reportGivingUp(err)
			return
		}
		c.reportLoss(err)
		cn, err = c.reconnect(l, err)
		if err != nil {
			c.finish(l, err)
			c.reportGivingUp(err)
		}
	}
}

// growStack has the stack grow now to what the first message would make it grow to. Of thousands of
// clients the small ones, left one by one between those of gRPC, would be memory that nobody uses.
//
//go:noinline
func growStack() byte {
	var depth [4 << 10]byte
	return depth[rand.IntN(len(depth))]
}

// detach ends cn, which is out of use. Sends that a server found too large would be the end of every
// further connection as well, so they are not repeated.
func (c *Client) detach(cn *connection, err error) {
	if errors.Is(err, ErrDisconnected) {
		cn.end(nil)
		return
	}
	c.cfg.Logger.Info("connection lost", "endpoint", cn.ep.name, "error", err)
	cn.end(err)
	_, told := errors.AsType[*DisconnectError](err)
	if !told && status.Code(err) == codes.ResourceExhausted {
		c.sends.failWritten(cn, err)
	}
}

// reconnect tries until it has a connection, which it adopts, or until the attempts are used up
// or pointless. No lock is held while it waits and dials.
func (c *Client) reconnect(l *life, lost error) (*connection, error) {
	last := lost
	for attempt := 1; c.cfg.MaxRetries < 0 || attempt <= c.cfg.MaxRetries; attempt++ {
		if err := pause(l.ctx, c.wait(attempt, last)); err != nil {
			return nil, err
		}
		cn, err := c.connect(l.ctx, l)
		if err == nil {
			c.stats.reconnects.Add(1)
			c.cfg.Logger.Info("connection is back", "endpoint", cn.ep.name, "attempt", attempt, "resumed", cn.resumed)
			return cn, nil
		}
		if l.isClosing() {
			return nil, ErrDisconnected
		}
		if last = err; c.final(err) {
			return nil, err
		}
		c.reportError(err)
	}
	return nil, fmt.Errorf("%d attempts to reconnect: %w", c.cfg.MaxRetries, last)
}

// finish ends the life: from here on nobody tries to connect.
func (c *Client) finish(l *life, err error) {
	c.unfollow()
	c.mu.Lock()
	if l.isClosing() { // Disconnect has dropped messages, which the session would take for received when it is resumed
		c.session.forget()
	}
	c.life, c.conn = nil, nil
	c.mu.Unlock()
	l.cancel(err)
	c.sends.failAll(err)
}

func (c *Client) reportConnect() {
	if c.cfg.OnConnect != nil {
		c.queue.push(task{run: c.cfg.OnConnect, callback: true})
	}
}

// reportLoss tells the program that a connection has ended, and with what error unless somebody
// wanted it to end: the program, the client itself, or a node that is going out of service.
func (c *Client) reportLoss(err error) {
	closed, told := errors.AsType[*DisconnectError](err)
	orderly := told && closed.Code == codeShutdown
	if !orderly && !errors.Is(err, ErrDisconnected) && !errors.Is(err, ErrMoved) {
		c.reportError(err)
	}
	if c.cfg.OnDisconnect != nil {
		c.queue.push(task{run: func() { c.cfg.OnDisconnect(err) }, callback: true})
	}
}

func (c *Client) reportGivingUp(err error) {
	if errors.Is(err, ErrDisconnected) {
		return
	}
	c.cfg.Logger.Warn("not reconnecting any more", "error", err)
	c.reportError(fmt.Errorf("%w: %w", ErrGaveUp, err))
}

func (c *Client) reportError(err error) {
	if c.cfg.OnError != nil {
		c.queue.push(task{run: func() { c.cfg.OnError(err) }, callback: true})
	}
}
