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
func (c *Client) Connect() error { return c.ConnectContext(context.Background()) }

// ConnectContext is Connect for at most as long as ctx lasts. Once it has returned, ctx has no
// effect on the session.
func (c *Client) ConnectContext(ctx context.Context) error {
	for {
		l, mine := c.begin()
		if mine {
			return c.start(ctx, l)
		}
		ended := l.begun
		if l.isClosing() {
			ended = l.over
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if ended == l.begun {
			return l.err
		}
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
		ctx:    ctx,
		cancel: cancel,
		begun:  make(chan struct{}),
		over:   make(chan struct{}),
	}
	c.queue.takeMessages()
	return c.life, true
}

func (c *Client) start(ctx context.Context, l *life) error {
	ctx, done := l.bind(ctx)
	defer done()
	c.follow()
	cn, err := c.connect(ctx, l)
	if err != nil {
		l.err = err
		c.finish(l, err)
		close(l.begun)
		close(l.over)
		return err
	}
	close(l.begun)
	go c.run(l, cn)
	return nil
}

// bind returns ctx so that it ends with the life too.
func (l *life) bind(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// connect makes one attempt, and makes what comes of it the connection that everybody uses.
func (c *Client) connect(ctx context.Context, l *life) (*connection, error) {
	cn, err := c.dial(ctx, true)
	if err != nil {
		return nil, err
	}
	cn.session, cn.resumed = c.session.open(cn.header)
	if !c.adopt(l, cn) {
		cn.end(nil)
		return nil, ErrDisconnected
	}
	c.update(cn)
	return cn, nil
}

// adopt is false when Disconnect was called meanwhile.
func (c *Client) adopt(l *life, cn *connection) bool {
	cn.turn <- struct{}{} // free: nobody knows cn yet; see update
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.isClosing() {
		return false
	}
	c.conn = cn
	return true
}

// update brings a new connection up to date. The turn to write is its until the sends that wait
// have been repeated, so that none overtakes them.
func (c *Client) update(cn *connection) {
	c.stats.connected(cn.resumed)
	cn.spawn(func() {
		defer cn.passTurn()
		c.repeatSends(cn)
	})
	c.keepPresence(cn)
	c.keepBeating(cn)
	c.ackSoon()                         // what was handled while there was no connection
	if !c.session.follows(cn.session) { // a resumed one does, unless its first connection was lost too soon
		c.rejoin(cn)
	}
	c.reportConnect()
	c.consider() // the instances may have changed while it was dialled
}

// Disconnect ends the session: it acknowledges what OnMessage has handled, tells the server, and
// waits until the client's goroutines have ended. Messages that still waited for OnMessage are
// not handled; they come again with the next session. Called while a callback runs, it does not
// wait for that one, so callbacks may call it. It may be called any number of times and returns
// nil.
func (c *Client) Disconnect() error {
	l, cn := c.close()
	if l == nil {
		c.queue.wait()
		return nil
	}
	l.once.Do(func() {
		c.sends.failAll(ErrDisconnected)
		if cn != nil {
			c.hangUp(l, cn)
		}
	})
	<-l.over
	c.queue.wait()
	return nil
}

// close ends attempts and calls, drops the messages that wait, and returns what is left to end.
func (c *Client) close() (*life, *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life != nil {
		c.life.cancel(ErrDisconnected)
		c.queue.dropMessages()
	}
	return c.life, c.conn
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
		cn.fail(ErrDisconnected)
	}
}
