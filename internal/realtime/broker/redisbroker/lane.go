package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/broker/pause"
)

// subscribeBatch is how many channels one command names.
const subscribeBatch = 1000

// lane is a connection that subscribes, made again when it is lost.
type lane struct {
	bus    *Bus
	prefix string // of its channels; on a cluster what gives them all one slot

	mu       sync.Mutex
	wanted   map[string]*place
	conn     *redis.PubSub  // nil while there is none
	open     int            // places that the connection has not confirmed
	leaving  map[string]int // channels, and how many of their ends it has not confirmed
	up       bool
	confirms chan struct{} // closed when all are confirmed, or the connection is lost; nil: nobody waits
}

// place is what the lane knows of a channel.
type place struct{ confirmed bool }

func newLane(b *Bus, prefix string) *lane {
	l := &lane{bus: b, prefix: prefix, wanted: make(map[string]*place), leaving: make(map[string]int)}
	// A connection without channels would not be with the right master, and is not subscribed to anything
	// that says when it is ready.
	l.wanted[prefix+"hermod.lane"] = &place{}
	return l
}

// run keeps the lane connected until ctx ends.
func (l *lane) run(ctx context.Context, client redis.UniversalClient, sink cluster.Sink) {
	for failures := 0; ctx.Err() == nil; failures++ {
		if was := l.once(ctx, client, sink); was {
			failures = 0
		}
		pause.Wait(ctx, failures)
	}
}

// once connects and receives until the connection is lost. It tells whether there was one.
func (l *lane) once(ctx context.Context, client redis.UniversalClient, sink cluster.Sink) (was bool) {
	conn := l.bus.dial(ctx, client)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	closed := make(chan struct{})
	go func() { // ends a read, and pings until then
		defer close(closed)
		defer func() { _ = conn.Close() }()
		ping(ctx, conn)
	}()
	err := l.subscribeAll(ctx, conn)
	for err == nil {
		var m any
		if m, err = conn.ReceiveTimeout(ctx, silence); err == nil {
			err = l.take(m, sink)
		}
	}
	was = l.lost(err)
	cancel()
	<-closed
	return was
}

// dial returns a connection that is made when it is first used.
func (b *Bus) dial(ctx context.Context, client redis.UniversalClient) *redis.PubSub {
	if b.opt.Cluster {
		return client.SSubscribe(ctx)
	}
	return client.Subscribe(ctx)
}

func ping(ctx context.Context, conn *redis.PubSub) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = conn.Ping(ctx) // whoever reads notices that nothing comes
		}
	}
}

func (l *lane) subscribe(ctx context.Context, conn *redis.PubSub, channels []string) error {
	for len(channels) > 0 {
		n := min(len(channels), subscribeBatch)
		var err error
		if l.bus.opt.Cluster {
			err = conn.SSubscribe(ctx, channels[:n]...)
		} else {
			err = conn.Subscribe(ctx, channels[:n]...)
		}
		if err != nil {
			return err
		}
		channels = channels[n:]
	}
	return nil
}

// subscribeAll subscribes a new connection to what is wanted by now. What is wanted from then on is
// follow's to subscribe to.
func (l *lane) subscribeAll(ctx context.Context, conn *redis.PubSub) error {
	l.mu.Lock()
	channels := make([]string, 0, len(l.wanted))
	for channel, p := range l.wanted {
		p.confirmed = false
		channels = append(channels, channel)
	}
	l.conn, l.open = conn, len(channels)
	clear(l.leaving)
	l.mu.Unlock()
	return l.subscribe(ctx, conn, channels)
}

// follow returns when the channels of the subjects are confirmed, or with an error when the connection is
// lost meanwhile, or was.
func (l *lane) follow(ctx context.Context, subjects []string) error {
	l.mu.Lock()
	channels := make([]string, 0, len(subjects))
	for _, s := range subjects {
		if channel := l.prefix + s; l.wanted[channel] == nil {
			l.wanted[channel] = &place{}
			channels = append(channels, channel)
		}
	}
	conn, up := l.conn, l.up
	if conn != nil {
		l.open += len(channels)
	}
	if l.confirms == nil {
		l.confirms = make(chan struct{})
	}
	confirms := l.confirms
	l.mu.Unlock()
	if conn == nil {
		return broker.ErrDown // the next connection has them
	}
	if err := l.subscribe(ctx, conn, channels); err != nil {
		_ = conn.Close() // what it follows is not known any more; the next one has all
		return err
	}
	if !up {
		return broker.ErrDown
	}
	if len(channels) == 0 {
		return nil
	}
	select {
	case <-confirms:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.up || l.conn != conn {
		return broker.ErrDown
	}
	return nil
}

func (l *lane) leave(subjects []string) {
	l.mu.Lock()
	channels := make([]string, 0, len(subjects))
	for _, s := range subjects {
		channel := l.prefix + s
		p := l.wanted[channel]
		if p == nil {
			continue
		}
		delete(l.wanted, channel)
		channels = append(channels, channel)
		if l.conn != nil {
			l.leaving[channel]++
			if !p.confirmed {
				l.open--
			}
		}
	}
	conn := l.conn
	up := conn != nil && l.settledLocked()
	l.mu.Unlock()
	if up {
		l.bus.laneUp()
	}
	if conn == nil || len(channels) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), ioTimeout)
	defer cancel()
	if l.bus.opt.Cluster {
		_ = conn.SUnsubscribe(ctx, channels...) // a connection that fails is made anew, without them
	} else {
		_ = conn.Unsubscribe(ctx, channels...)
	}
}

func (l *lane) follows(subject string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.wanted[l.prefix+subject]
	return p != nil && p.confirmed
}

// take takes what the connection received. An error has it given up.
func (l *lane) take(m any, sink cluster.Sink) error {
	switch m := m.(type) {
	case *redis.Message:
		sink.Receive(m.Channel[len(l.prefix):], []byte(m.Payload))
	case *redis.Subscription:
		switch m.Kind {
		case "subscribe", "ssubscribe":
			return l.confirm(m.Channel)
		case "unsubscribe", "sunsubscribe":
			return l.ended(m.Channel)
		}
	}
	return nil
}

// confirm notes that messages of a channel come.
func (l *lane) confirm(channel string) error {
	l.mu.Lock()
	p := l.wanted[channel]
	if p == nil || l.leaving[channel] > 0 { // of a subscription that is being ended
		l.mu.Unlock()
		return nil
	}
	if p.confirmed { // go-redis has a new connection, and does not say so
		l.mu.Unlock()
		return errors.New("the connection was lost")
	}
	p.confirmed = true
	l.open--
	up := l.settledLocked()
	l.mu.Unlock()
	if up {
		l.bus.laneUp()
	}
	return nil
}

// settledLocked lets go who waits once all is confirmed, and tells whether with that the lane is up.
func (l *lane) settledLocked() (up bool) {
	if l.open > 0 {
		return false
	}
	if l.confirms != nil {
		close(l.confirms)
		l.confirms = nil
	}
	up = !l.up
	l.up = true
	return up
}

// ended notes that no messages of a channel come any more. It is an error if nobody asked for that: then
// the slot is another master's.
func (l *lane) ended(channel string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaving[channel] == 0 {
		return fmt.Errorf("the server has ended %s", channel)
	}
	if l.leaving[channel]--; l.leaving[channel] == 0 {
		delete(l.leaving, channel)
	}
	return nil
}

// lost notes that there is no connection, and tells whether there was one.
func (l *lane) lost(why error) (was bool) {
	l.mu.Lock()
	was = l.up
	l.conn, l.up = nil, false
	for _, p := range l.wanted {
		p.confirmed = false
	}
	if l.confirms != nil {
		close(l.confirms)
		l.confirms = nil
	}
	l.mu.Unlock()
	if was {
		if why == nil {
			why = errors.New("the connection was closed")
		}
		l.bus.laneDown(why)
	}
	return was
}
