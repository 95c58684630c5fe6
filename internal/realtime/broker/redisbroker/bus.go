// Package redisbroker carries what nodes send each other over Redis' publish and subscribe: PUBLISH on one
// server, SPUBLISH, which reaches one master's subscribers alone, on a Redis Cluster. Nothing is stored.
//
// On one server a node has one connection that subscribes. On a cluster the subjects are spread over lanes,
// each of them with one slot and so with one master, and a connection of its own. A lane has two goroutines
// while it is connected, which end with Run.
package redisbroker

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

// Bus is a node's connection to Redis. It implements cluster.Bus.
type Bus struct {
	opt   Options
	lanes []*lane

	mu     sync.Mutex
	client redis.UniversalClient // nil before Run, and after
	sink   cluster.Sink
	up     int // lanes that are
}

// New returns a bus, or what is wrong with the options. Nothing is connected before Run.
func New(opt Options) (*Bus, error) {
	if err := opt.validate(); err != nil {
		return nil, err
	}
	b := &Bus{opt: opt}
	if !opt.Cluster {
		b.lanes = []*lane{newLane(b, "")}
		return b, nil
	}
	for i := range opt.Lanes {
		b.lanes = append(b.lanes, newLane(b, fmt.Sprintf("{hermod:%d}", i)))
	}
	return b, nil
}

// Run implements cluster.Bus. What was sent is with the server already when it ends.
func (b *Bus) Run(ctx context.Context, sink cluster.Sink) error {
	client := b.opt.client()
	b.mu.Lock()
	b.client, b.sink = client, sink
	b.mu.Unlock()
	var g errgroup.Group
	for _, l := range b.lanes {
		g.Go(func() error { l.run(ctx, client, sink); return nil })
	}
	err := g.Wait()
	b.mu.Lock()
	b.client = nil
	b.mu.Unlock()
	_ = client.Close() // nobody uses it any more
	return err
}

// lane returns the lane of a subject, the same one on every node.
func (b *Bus) lane(subject string) *lane {
	if len(b.lanes) == 1 {
		return b.lanes[0]
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(subject))
	return b.lanes[h.Sum32()%uint32(len(b.lanes))]
}

// Follow implements cluster.Bus.
func (b *Bus) Follow(ctx context.Context, subjects []string) error {
	var g errgroup.Group
	for l, of := range b.sorted(subjects) {
		g.Go(func() error { return l.follow(ctx, of) })
	}
	return g.Wait()
}

// Leave implements cluster.Bus.
func (b *Bus) Leave(subjects []string) {
	for l, of := range b.sorted(subjects) {
		l.leave(of)
	}
}

func (b *Bus) sorted(subjects []string) map[*lane][]string {
	by := make(map[*lane][]string)
	for _, s := range subjects {
		by[b.lane(s)] = append(by[b.lane(s)], s)
	}
	return by
}

// Send implements cluster.Bus: a batch is one round trip.
func (b *Bus) Send(ctx context.Context, batch []cluster.Message) error {
	b.mu.Lock()
	client, sink := b.client, b.sink
	b.mu.Unlock()
	if client == nil {
		return broker.ErrDown
	}
	pipe := client.Pipeline()
	sent := make([]*redis.IntCmd, len(batch))
	for i := range batch {
		channel := b.lane(batch[i].Subject).prefix + batch[i].Subject
		if b.opt.Cluster {
			sent[i] = pipe.SPublish(ctx, channel, batch[i].Data)
		} else {
			sent[i] = pipe.Publish(ctx, channel, batch[i].Data)
		}
	}
	_, err := pipe.Exec(ctx)
	for i := range batch {
		if batch[i].Ask == 0 || sent[i].Err() != nil {
			continue
		}
		others := int(sent[i].Val())
		if b.lane(batch[i].Subject).follows(batch[i].Subject) {
			others--
		}
		sink.Reached(batch[i].Ask, max(0, others))
	}
	return err
}

// MaxBytes implements cluster.Bus.
func (b *Bus) MaxBytes() int { return largest }

// laneUp and laneDown count the lanes that are connected: the bus is when all are.
func (b *Bus) laneUp() {
	b.mu.Lock()
	b.up++
	all, sink := b.up == len(b.lanes), b.sink
	b.mu.Unlock()
	if all {
		sink.Connected()
	}
}

func (b *Bus) laneDown(why error) {
	b.mu.Lock()
	all, sink := b.up == len(b.lanes), b.sink
	b.up--
	b.mu.Unlock()
	if all {
		sink.Disconnected(why)
	}
}
