package client

import (
	"context"
	"time"
)

// closeGrace is how long Disconnect waits for the server to end the stream from its side. A node
// takes up to two seconds, to have the last answers written.
const closeGrace = 3 * time.Second

// Connect opens the session and returns when the server has accepted it. It tries once; only a
// connection that is lost later is tried again. It does nothing when the client is connected or
// on its way back, and may be called again after Disconnect or after the client gave up.
func (c *Client) Connect() error {
	for {
		l, mine := c.begin()
		if mine {
			return c.start(l)
		}
		if !l.isClosing() {
			<-l.begun
			return l.err
		}
		<-l.over
	}
}

// begin returns the present life, or a new one that is the caller's to start.
func (c *Client) begin() (l *life, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life != nil {
		return c.life, false
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	c.life = &life{
		ctx:     ctx,
		cancel:  cancel,
		begun:   make(chan struct{}),
		closing: make(chan struct{}),
		over:    make(chan struct{}),
	}
	return c.life, true
}

func (c *Client) start(l *life) error {
	cn, err := c.dial(l.ctx)
	if err == nil && l.isClosing() {
		cn.end(nil)
		err = ErrDisconnected
	}
	if err != nil {
		l.err = err
		c.finish(l, err)
		close(l.begun)
		close(l.over)
		return err
	}
	c.adopt(cn)
	close(l.begun)
	go c.run(l, cn)
	return nil
}

// adopt makes cn the connection that everybody uses and brings it up to date.
func (c *Client) adopt(cn *connection) {
	cn.turn <- struct{}{} // free: nobody knows cn yet
	c.mu.Lock()
	c.conn = cn
	c.mu.Unlock()
	cn.spawn(func() {
		defer cn.passTurn()
		c.repeatSends(cn)
	})
	c.keepBeating(cn)
	c.ackSoon() // what was handled while there was no connection
	if !cn.resumed {
		c.rejoin(cn)
	}
	c.reportConnect()
}

// Disconnect ends the session: it acknowledges what OnMessage has handled, tells the server, and
// waits until the client's goroutines have ended. Messages that still waited for OnMessage are
// not handled; they come again with the next session. Called while a callback runs, it does not
// wait for that one, so callbacks may call it. It may be called any number of times and returns
// nil.
func (c *Client) Disconnect() error {
	c.mu.Lock()
	l, cn := c.life, c.conn
	c.mu.Unlock()
	if l == nil {
		c.queue.wait()
		return nil
	}
	l.once.Do(func() {
		close(l.closing)
		c.queue.dropMessages()
		c.sends.failAll(ErrDisconnected)
		if cn == nil {
			l.cancel(ErrDisconnected)
			return
		}
		c.hangUp(l, cn)
	})
	<-l.over
	c.queue.wait()
	return nil
}

// hangUp ends the stream so that the server sees a clean end, and cuts it off when that takes
// too long.
func (c *Client) hangUp(l *life, cn *connection) {
	ctx, done := context.WithTimeout(cn.ctx, closeGrace)
	defer done()
	c.flushAck(ctx, cn)
	cn.hangUp(ctx)
	select {
	case <-l.over:
	case <-ctx.Done(): // out of time, or the connection was lost just now
		l.cancel(ErrDisconnected)
	}
}
