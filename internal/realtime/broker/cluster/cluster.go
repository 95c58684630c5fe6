// Package cluster is the broker of a node among others. It needs an engine that carries bytes, a Bus,
// and does the rest itself: what is lost is noticed and told, what waits is bounded, requests find their
// answers, and every node knows which others there are.
//
//	Broker    what the node uses
//	Bus       what natsbroker and redisbroker implement
//	interest  what the node follows          outbox  what waits to be sent
//	members   which nodes there are          inbox   what waits to be handled
//	asks      requests that wait for answers     heads   what makes up for a last publication that was lost
//
// Run owns all goroutines. No lock is held while anything is sent or handled, apart from members.order,
// under which changes are told one after another.
package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/game-im/hermod/internal/realtime/broker"
)

const (
	// holeEvery is how often the others are told, at most, that something of this node's was lost.
	holeEvery = 500 * time.Millisecond
	// drainFor is how long what waits may be sent after the end of Run's context.
	drainFor = 3 * time.Second
)

// Broker is a node's connection to its cluster. It implements broker.Cluster.
type Broker struct {
	subjects
	opt      Options
	bus      Bus
	handlers broker.Handlers
	up       atomic.Bool
	before   atomic.Bool // it was up once
	left     atomic.Bool // all is sent: the bus ends since it is to
	out      *outbox
	in       *inbox
	interest *interest
	members  *members
	asks     *asks
	heads    *heads
	metrics  *metrics
	greet    chan struct{} // holds one: say hello now
	greeted  uint64        // hellos said; of the goroutine that says them
	told     time.Time     // when the others were told of a hole; of the goroutine that sends
}

// New returns a broker on a bus that nobody else uses.
func New(bus Bus, options Options) (*Broker, error) {
	opt, err := options.filled()
	if err != nil {
		return nil, err
	}
	s, err := newSubjects(opt.Name)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		subjects: s, opt: opt, bus: bus,
		out: newOutbox(opt.OutboxBytes), in: newInbox(opt.Lanes, opt.InboxBytes),
		interest: newInterest(s, opt.SubscribeWait),
		members:  newMembers(opt.Self.ID, opt.Expiry),
		asks:     newAsks(),
		heads:    newHeads(),
		greet:    make(chan struct{}, 1),
	}
	b.metrics = newMetrics(b)
	return b, nil
}

// Attach implements broker.Broker.
func (b *Broker) Attach(h broker.Handlers) {
	b.handlers = h
	if h.Member != nil {
		b.members.changed = h.Member
	}
}

// Run implements broker.Broker.
func (b *Broker) Run(ctx context.Context) error {
	live, kill := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx until all is sent
	defer kill()
	b.interest.wish(broker.EveryNode)
	b.interest.wish(broker.NodeChannel(b.opt.Self.ID))
	b.interest.keepUp(live, b.bus, b.missed) // before it connects and says hello, which the others answer
	var g errgroup.Group
	g.Go(func() error {
		defer kill() // without a bus nothing else has anything to do
		return b.bus.Run(live, sink{b})
	})
	g.Go(func() error { b.interest.run(live, b.bus, b.missed); return nil })
	for _, lane := range b.in.lanes {
		g.Go(func() error {
			lane.run(live, b.handle, func(n int) {
				b.metrics.dropped("inbox", n)
				b.missed("")
			})
			return nil
		})
	}
	sent := make(chan struct{})
	g.Go(func() error { defer close(sent); b.send(live); return nil })
	g.Go(func() error {
		b.live(ctx, live)
		b.leave(sent)
		b.left.Store(true)
		kill()
		return nil
	})
	return g.Wait()
}

// live says hello, tells heads and looks for who is silent, until the node stops.
func (b *Broker) live(ctx, live context.Context) {
	tick := time.NewTicker(b.opt.Hello)
	defer tick.Stop()
	heads := time.NewTicker(b.opt.Heads)
	defer heads.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-live.Done():
			return
		case <-b.greet:
		case now := <-tick.C:
			if b.up.Load() { // in an outage everybody is silent
				b.died(b.members.sweep(now))
			}
		case <-heads.C:
			b.tellHeads()
			continue
		}
		if b.up.Load() {
			b.say(kindHello)
		}
	}
}

// leave says bye and waits until what was published is sent, as far as that takes seconds.
func (b *Broker) leave(sent <-chan struct{}) {
	if b.up.Load() {
		b.say(kindBye)
	}
	b.out.close()
	timer := time.NewTimer(drainFor)
	defer timer.Stop()
	select {
	case <-sent:
	case <-timer.C:
	}
}

func (b *Broker) say(k kind) {
	b.greeted++
	e := envelope{kind: k, node: b.opt.Self.ID, id: b.greeted, body: b.opt.Self.Info}
	b.out.urgent(Message{Subject: b.subject(broker.EveryNode), Data: e.marshal()})
}

// Subscribe implements broker.Broker.
func (b *Broker) Subscribe(ctx context.Context, channel string) error {
	if channel == "" || strings.HasPrefix(channel, broker.EveryNode) {
		return fmt.Errorf("cluster: no channel may be named %q", channel)
	}
	return b.interest.add(ctx, channel)
}

// Unsubscribe implements broker.Broker.
func (b *Broker) Unsubscribe(_ context.Context, channel string) error {
	b.interest.remove(channel)
	return nil
}

func (b *Broker) subject(channel string) string { return b.channel(channel) }

func (b *Broker) fits(data []byte) error {
	if most := b.bus.MaxBytes(); most > 0 && len(data) > most {
		return fmt.Errorf("cluster: a message of %d bytes, the engine takes %d", len(data), most)
	}
	return nil
}

// Connected tells whether the engine is within reach.
func (b *Broker) Connected() bool { return b.up.Load() }

// Self implements broker.Directory.
func (b *Broker) Self() string { return b.opt.Self.ID }

// Members implements broker.Directory.
func (b *Broker) Members() []broker.Member { return b.members.list() }
