package cluster

import (
	"context"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
)

// send sends what waits until the outbox is closed and empty, or ctx ends. In an outage it drops, since what
// is old is worth nothing, and tells the others once it is over.
func (b *Broker) send(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.out.wake:
		case <-retry.C: // for holes that could not be told, or not yet
		}
		for batch := b.out.take(); len(batch) > 0 && ctx.Err() == nil; batch = b.out.take() {
			b.sendBatch(ctx, batch)
		}
		if b.out.finished() {
			return
		}
		if b.tellHoles(ctx, time.Now()) {
			retry.Reset(holeEvery)
		}
	}
}

func (b *Broker) sendBatch(ctx context.Context, batch []Message) {
	err := broker.ErrDown
	if b.up.Load() {
		err = b.bus.Send(ctx, batch)
	}
	if err == nil {
		return
	}
	b.metrics.dropped("engine", len(batch))
	b.out.lost()
	for i := range batch {
		if batch[i].Ask != 0 {
			b.asks.fail(batch[i].Ask, broker.ErrDown)
		}
	}
}

// tellHoles tells the others what they may have missed, and returns whether there is more to tell later.
func (b *Broker) tellHoles(ctx context.Context, now time.Time) (more bool) {
	if !b.out.holed() {
		return false
	}
	if !b.up.Load() || now.Sub(b.told) < holeEvery {
		return true
	}
	b.told = now
	channels, all := b.out.takeHoles()
	if all {
		channels = []string{""}
	}
	batch := make([]Message, 0, len(channels))
	for _, channel := range channels {
		to := channel
		if all {
			to = broker.EveryNode
		}
		e := envelope{kind: kindHole, node: b.opt.Self.ID, channel: channel}
		batch = append(batch, Message{Subject: b.subject(to), Data: e.marshal()})
	}
	b.sendBatch(ctx, batch)
	return b.out.holed()
}
