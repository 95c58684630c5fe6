// Package pluginconn makes a transport.Conn of a connection that a plugin brings.
//
// The plugin is not trusted to come back: whatever it does, Read and Write return once the connection is
// closed, and Close at once. A method of the plugin's that hangs keeps its own goroutine and nothing else,
// and one that panics costs its connection.
//
// A connection owns a goroutine that reads, one for each batch that is written while that lasts, and one
// that closes.
package pluginconn

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/plugin"
)

const (
	// closeWithin is what the plugin is told that closing may take.
	closeWithin = 2 * time.Second
	// grace is how much longer it is waited for.
	grace = 500 * time.Millisecond
)

// Witness hears of panics.
type Witness interface {
	Panicked(value any)
}

// Conn is a plugin's connection as a transport.Conn.
type Conn struct {
	under   plugin.Conn
	peer    transport.Peer
	witness Witness
	format  *frame.Format
	limit   int

	frames  chan []byte   // what was read and nobody has taken yet
	unread  chan struct{} // closed when nothing more is read
	readErr error         // why; set before unread is closed
	written chan error    // of the batch on its way

	once    sync.Once
	why     transport.Disconnect // set before closing is closed
	closing chan struct{}
	gone    chan struct{} // closed when the plugin has closed it, or was given up
}

var _ transport.Eager = (*Conn)(nil)

// New makes a connection of one that a plugin of that name has taken in.
func New(under plugin.Conn, name string, w Witness) *Conn {
	c := &Conn{
		under: under, witness: w, peer: transport.Peer{Transport: name},
		frames: make(chan []byte), unread: make(chan struct{}), written: make(chan error, 1),
		closing: make(chan struct{}), gone: make(chan struct{}),
	}
	_ = c.guarded(func() error { c.peer.Remote = under.Remote(); return nil }) // of one that panics no address is known
	return c
}

// Peer implements transport.Peered.
func (c *Conn) Peer() transport.Peer { return c.peer }

// errPanicked stands for a method that did not come to its end.
var errPanicked = errors.New("the plugin panicked")

func (c *Conn) guarded(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.witness.Panicked(p)
			err = errPanicked
		}
	}()
	return call()
}

// Open has the plugin find out what there is to know. It returns at the latest when ctx is done, with its
// error, or when the connection is closed.
func (c *Conn) Open(ctx context.Context) (plugin.Opening, error) {
	type result struct {
		opening plugin.Opening
		err     error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		r.err = c.guarded(func() (err error) {
			r.opening, err = c.under.Open(ctx)
			return err
		})
		done <- r
	}()
	select {
	case r := <-done:
		return r.opening, r.err
	case <-ctx.Done():
		return plugin.Opening{}, ctx.Err()
	case <-c.closing:
		return plugin.Opening{}, c.why
	}
}

// Speak begins to read frames of at most limit bytes. It is called once, before Read and Write.
func (c *Conn) Speak(format *frame.Format, limit int) {
	c.format, c.limit = format, limit
	go c.pump()
}

// pump reads a frame ahead.
func (c *Conn) pump() {
	defer close(c.unread)
	for {
		var data []byte
		err := c.guarded(func() (err error) {
			data, err = c.under.Read(c.limit)
			return err
		})
		if errors.Is(err, plugin.ErrTooLarge) || err == nil && len(data) > c.limit {
			c.Close(transport.BadRequest.Because("a frame has more than %d bytes, which is the most that is taken", c.limit))
			err = c.why
		}
		if err != nil {
			c.readErr = err
			return
		}
		select {
		case c.frames <- data:
		case <-c.closing:
			c.readErr = c.why
			return
		}
	}
}

// Read implements transport.Conn.
func (c *Conn) Read() ([]byte, error) {
	select {
	case data := <-c.frames:
		return data, nil
	case <-c.closing:
		return nil, c.why
	case <-c.unread:
		if errors.Is(c.readErr, io.EOF) {
			return nil, io.EOF
		}
		return nil, c.readErr
	}
}

// Write implements transport.Conn.
func (c *Conn) Write(out []transport.Outgoing) error {
	if _, err := c.TryWrite(out); err != nil {
		return err
	}
	return c.Flush()
}

// TryWrite implements transport.Eager. How much of it the client takes is not known before Flush.
func (c *Conn) TryWrite(out []transport.Outgoing) (whole bool, err error) {
	select {
	case <-c.closing:
		return false, c.why
	default:
	}
	b := c.assemble(out)
	go func() {
		err := c.guarded(func() error { return c.under.Write(b.frames) })
		b.release()
		c.written <- err
	}()
	return false, nil
}

// Flush implements transport.Eager. What is being written when the connection is closed is for the plugin
// to finish.
func (c *Conn) Flush() error {
	select {
	case err := <-c.written:
		return err
	case <-c.closing:
		return c.why
	}
}

// Close implements transport.Conn. The first reason counts.
func (c *Conn) Close(why transport.Disconnect) { c.end(closeWithin, why) }

// Cut closes the connection without a word.
func (c *Conn) Cut(why transport.Disconnect) { c.end(0, why) }

func (c *Conn) end(within time.Duration, why transport.Disconnect) {
	c.once.Do(func() {
		c.why = why
		close(c.closing)
		ctx, cancel := context.WithTimeout(context.Background(), within)
		var left sync.Once
		leave := func() { left.Do(func() { close(c.gone) }) }
		late := time.AfterFunc(within+grace, leave)
		go func() {
			defer leave()
			defer late.Stop()
			defer cancel()
			_ = c.guarded(func() error { // which was told of already
				c.under.Close(ctx, plugin.Disconnect{Code: int(why.Code), Reason: why.Reason, RetryAfter: why.Retry})
				return nil
			})
		}()
	})
}

// Finish closes a connection whose handler is done, and waits until the plugin has closed it or is given
// up.
func (c *Conn) Finish(why transport.Disconnect) {
	c.Close(why)
	<-c.gone
	if c.format == nil {
		return
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-c.unread:
	case <-t.C:
	}
}
