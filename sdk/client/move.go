package client

import (
	"context"
	"math/rand/v2"
)

// consider has the client move if it should be connected to another instance: not at once, but
// within Config.MoveWithin, so that the clients of a node that goes do not all come to the others in
// the same moment, and a registry that has lost its nodes has time to find them again.
func (c *Client) consider() {
	cn, l := c.active()
	if cn == nil || !c.misplaced(cn) || !cn.moving.CompareAndSwap(false, true) {
		return
	}
	settle := c.cfg.MoveWithin / 4 // several changes at once are to be one move
	cn.after(settle+rand.N(c.cfg.MoveWithin-settle), func() { c.move(l, cn) })
}

// misplaced tells whether cn should go to another instance by what is known now.
func (c *Client) misplaced(cn *connection) bool {
	d, ok := c.source.(*dialer)
	return ok && d.misplaced(cn.ep.service)
}

// move opens a connection to another instance and hands over to it. Until that has succeeded the old
// one stays in use; it is tried for as long as there is a reason to move.
func (c *Client) move(l *life, cn *connection) {
	defer cn.moving.Store(false)
	ctx, done := l.bind(cn.ctx)
	defer done()
	for attempt := 1; c.misplaced(cn); attempt++ {
		next, err := c.dial(ctx, false)
		switch {
		case err == nil && next.ep.name != cn.ep.name:
			c.handOver(l, cn, next)
			return
		case err == nil:
			next.end(nil) // the balancer has no better idea
		case ctx.Err() == nil:
			c.cfg.Logger.Info("cannot move to another node yet", "error", err)
		}
		if pause(ctx, c.cfg.Backoff(attempt)) != nil {
			return
		}
	}
}

// handOver ends the old connection in peace: what was sent over it is answered before the client goes
// on with next. A node that does not end its side in time is cut off.
func (c *Client) handOver(l *life, cn, next *connection) {
	if !c.offer(l, cn, next) {
		next.end(nil)
		return
	}
	ctx, done := context.WithTimeout(cn.ctx, closeGrace)
	defer done()
	c.flushAck(ctx, cn)
	cn.hangUp(ctx)
	<-ctx.Done() // the reader has gone on, or has still not
	cn.fail(ErrMoved)
}

// offer makes next what the reader goes on with after cn. It is false when the reader has left cn
// already.
func (c *Client) offer(l *life, cn, next *connection) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.isClosing() || c.conn != cn {
		return false
	}
	c.next = next
	return true
}

// leave takes cn, which the reader has left, out of use unless there is one to go on with.
func (c *Client) leave() (next *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, c.next = c.next, nil
	if next == nil {
		c.conn = nil
	}
	return next
}

// goOn continues with next after cn. It is false when Disconnect was called meanwhile.
func (c *Client) goOn(l *life, cn, next *connection) bool {
	next.session, next.resumed = c.session.open(next.header)
	if !c.adopt(l, next) {
		next.end(nil)
		return false
	}
	cn.retire()
	c.stats.moves.Add(1)
	c.cfg.Logger.Info("moved", "from", cn.ep.name, "to", next.ep.name)
	c.reportLoss(ErrMoved)
	c.update(next)
	return true
}
