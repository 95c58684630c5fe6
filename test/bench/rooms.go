package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	roomCount   = 100
	roomMembers = 10
	roomsLimit  = 2 * time.Minute
	warmUp      = 2 * time.Second
)

// chatter is many small rooms in which everybody sends.
type chatter struct {
	inFlight int           // per member, in a closed loop
	rate     int           // messages per second of all; instead of inFlight
	halfRate bool          // after the closed loop, pace at half of what it reached
	duration time.Duration // of each part
}

func (l chatter) measure(ctx context.Context, s *server, durable bool) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, roomsLimit+2*l.duration)
	defer cancel()
	f := newFleet(ctx, s.addr)
	out, err := l.load(f, s, durable)
	return out, errors.Join(err, f.close())
}

func (l chatter) load(f *fleet, s *server, durable bool) (sample, error) {
	c := &crowd{fleet: f, server: s}
	for i := range roomCount * roomMembers {
		c.add(i, durable)
	}
	if err := f.open(c.members, len(c.members)); err != nil {
		return sample{}, err
	}
	if err := f.quiet(); err != nil {
		return sample{}, err
	}
	if l.rate > 0 {
		return c.timed(l.duration, func(ctx context.Context) error { return c.pace(ctx, l.rate) })
	}
	out, err := c.timed(l.duration, func(ctx context.Context) error { return c.loop(ctx, l.inFlight) })
	if err != nil || !l.halfRate {
		return out, err
	}
	half, err := c.timed(l.duration, func(ctx context.Context) error { return c.pace(ctx, int(out.perWall/2)) })
	if err != nil {
		return sample{}, fmt.Errorf("at half of that rate: %w", err)
	}
	out.ackHalf, out.deliveryHalf = half.ack, half.delivery
	return out, nil
}

// crowd is the members of all rooms.
type crowd struct {
	fleet   *fleet
	server  *server
	members []*peer
}

func (c *crowd) add(i int, durable bool) {
	p := newPeer(fmt.Sprintf("u%d", i), fmt.Sprintf("room-%d", i/roomMembers), "ack,batch", roomMembers, durable)
	p.clock = &stopwatch{}
	p.lane = &lane{index: uint32(i % roomMembers)}
	c.members = append(c.members, p)
}

// timed runs a load, measures it between the end of the warm-up and the end of duration, stops it
// and checks that every message was answered and delivered.
func (c *crowd) timed(duration time.Duration, load func(context.Context) error) (sample, error) {
	ctx, stop := context.WithCancel(c.fleet.ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- load(ctx) }()
	out, err := c.observe(ctx, duration)
	stop()
	if err := errors.Join(err, <-ended); err != nil {
		return sample{}, err
	}
	if err := c.drain(); err != nil {
		return sample{}, err
	}
	out.ack, out.delivery = c.spreads()
	return out, nil
}

// observe reads the server's usage around duration.
func (c *crowd) observe(ctx context.Context, duration time.Duration) (sample, error) {
	if err := rest(ctx, warmUp); err != nil {
		return sample{}, err
	}
	c.watch(true)
	start := c.acked()
	before, err := c.server.usage()
	if err != nil {
		return sample{}, err
	}
	if err := rest(ctx, duration); err != nil {
		return sample{}, err
	}
	after, err := c.server.usage()
	if err != nil {
		return sample{}, err
	}
	out := newSample(before, after, c.acked()-start)
	c.watch(false)
	return out, nil
}

// rest waits, or tells why the load has ended.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *crowd) watch(on bool) {
	for _, p := range c.members {
		p.clock.on.Store(on)
	}
}

func (c *crowd) acked() int {
	n := 0
	for _, p := range c.members {
		n += int(p.acked.Load())
	}
	return n
}

// loop lets every member keep n messages in flight until ctx ends.
func (c *crowd) loop(ctx context.Context, n int) error {
	for _, p := range c.members {
		if err := p.lane.begin(p, n); err != nil {
			return c.fleet.why(err)
		}
	}
	<-ctx.Done()
	for _, p := range c.members {
		p.lane.end()
	}
	return nil
}

// pace sends rate messages a second, each member in turn, until ctx ends. A message counts from
// when it was due, not from when it could be sent, so that a stall of the server is seen whole.
func (c *crowd) pace(ctx context.Context, rate int) error {
	start := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		due := start.Add(time.Duration(n) * time.Second / time.Duration(max(1, rate)))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		p := c.members[n%len(c.members)]
		if err := p.lane.sendOne(p, due); err != nil {
			return c.fleet.why(err)
		}
	}
	return nil
}

// drain waits until each message is answered and has reached the other members of its room.
func (c *crowd) drain() error {
	for room := range slices.Chunk(c.members, roomMembers) {
		sent := int64(0)
		for _, p := range room {
			sent += int64(p.lane.sent.Load())
		}
		what := fmt.Sprintf("the last of %d messages in %s", sent, room[0].room)
		err := c.fleet.await(openLimit, what, func() bool {
			return !slices.ContainsFunc(room, func(p *peer) bool {
				own := int64(p.lane.sent.Load())
				return p.acked.Load() < own || p.received.Load() < sent-own
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// spreads collects and forgets the times that were noted.
func (c *crowd) spreads() (ack, delivery spread) {
	var acks, deliveries []time.Duration
	for _, p := range c.members {
		acks = append(acks, p.clock.ack...)
		deliveries = append(deliveries, p.clock.delivery...)
		p.clock.ack, p.clock.delivery = nil, nil
	}
	return newSpread(acks), newSpread(deliveries)
}

// lane is the sending side of a member. Its stream is written by one goroutine at a time, that of
// the load or that which reads the ACKs.
type lane struct {
	index uint32
	sent  atomic.Uint64

	mu   sync.Mutex
	open bool // answer each ACK with the next message
}

// begin sends n messages, and from then on one for each ACK.
func (l *lane) begin(p *peer, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = true
	for range n {
		if err := l.sendLocked(p, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = false
}

func (l *lane) sendOne(p *peer, due time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sendLocked(p, due)
}

func (l *lane) sendLocked(p *peer, due time.Time) error {
	number := l.sent.Load()
	if number-uint64(p.acked.Load()) >= dueRing {
		return fmt.Errorf("%s has %d messages unanswered: the server is slower than the rate", p.user, dueRing)
	}
	p.clock.due[number%dueRing].Store(due.UnixNano())
	l.sent.Store(number + 1)
	return p.stream.SendMsg(textRequest(p.room, stamp{sender: l.index, number: number, due: due.UnixNano()}))
}

// answered is called by the reader of the stream when n messages were acknowledged.
func (l *lane) answered(p *peer, n int) error {
	if n == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		return nil
	}
	for range n {
		// EOF means that the stream is broken: the reader's next RecvMsg says why.
		if err := l.sendLocked(p, time.Now()); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}
