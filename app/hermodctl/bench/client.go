package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// client is one connection with what it receives and, if it has a lane, sends.
type client struct {
	ledger
	who    identity
	sender uint32 // index among those whose payloads the others get
	lane   *lane  // nil: it only receives
	speech speech
	link   link

	ready chan struct{} // closed once the node has answered the greeting
	once  sync.Once     // closes ready
	gone  chan struct{} // closed when nothing comes any more
	err   error         // why; to be read when gone is closed
	cut   bool          // it was the node or the network that ended the connection; known at the end
}

// speech is how a client says things in its protocol. take is called by the reader alone, and the
// others by anybody.
type speech interface {
	// greet begins the conversation. The answer, or what follows from it, closes the client's ready.
	greet() error
	// take books a frame.
	take(frame []byte) error
	// say encodes the unit of a lane.
	say(number uint64, due int64) []byte
	// beat encodes a heartbeat.
	beat() []byte
	// acknowledge encodes an ACK of what has come since the last one, nil if nothing has. One goroutine
	// calls it.
	acknowledge() []byte
}

// newClient makes a client that receives from so many senders.
func newClient(l *load, index int, room string, senders int) *client {
	c := &client{
		ledger: ledger{load: l, stored: l.plan.Stored, next: make([]uint64, senders)},
		who:    identity{user: fmt.Sprintf("bench-%x-%d", l.run, index), room: room, token: l.plan.Token},
		ready:  make(chan struct{}), gone: make(chan struct{}),
	}
	if l.plan.Protocol == IM {
		c.speech = &imSpeech{client: c}
	} else {
		c.speech = &gatewaySpeech{client: c}
	}
	return c
}

// open connects and returns once the node has answered.
func (c *client) open(ctx context.Context, d dialer, reader func(func())) error {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	l, err := d.dial(ctx, c.who)
	if err != nil {
		return err
	}
	c.link = l
	reader(c.listen)
	greeting := c.speech.greet() // when it fails, the reader knows better why
	select {
	case <-c.ready:
		return nil
	case <-c.gone:
		return c.err
	case <-ctx.Done():
		return errors.Join(greeting, fmt.Errorf("no answer within %v: %w", openLimit, ctx.Err()))
	}
}

// greeted notes that the node has answered the greeting.
func (c *client) greeted() { c.once.Do(func() { close(c.ready) }) }

// listen reads until the connection ends.
func (c *client) listen() {
	defer close(c.gone)
	take := func(frame []byte) error {
		c.frames.Add(1)
		return c.speech.take(frame)
	}
	for {
		if c.err = c.link.receive(take); c.err != nil {
			return
		}
	}
}

// lost tells whether the connection has ended.
func (c *client) lost() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// drive lets the client's lane send over its connection. That the connection breaks is told where it
// is read.
func (c *client) drive(ctx context.Context, s schedule, ready func() bool) {
	_ = c.lane.drive(ctx, s, c.gone, ready, func(number uint64, due int64) error {
		return c.link.send(c.speech.say(number, due))
	})
}
