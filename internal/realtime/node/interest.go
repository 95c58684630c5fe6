package node

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/game-im/hermod/internal/realtime/broker"
)

const interestStripes = 64

// interest keeps the broker's subscriptions in step with the node's sessions. Changes of one channel
// are made one after another, each by what the hub says at that moment, so that a last one leaving
// and a first one coming at the same time end in the right state.
type interest struct {
	wanted  func(channel string) bool
	broker  broker.Broker
	seed    maphash.Seed
	stripes [interestStripes]struct {
		mu   sync.Mutex
		have map[string]struct{}
	}
}

func (i *interest) init(wanted func(channel string) bool, b broker.Broker) {
	i.wanted, i.broker, i.seed = wanted, b, maphash.MakeSeed()
	for k := range i.stripes {
		i.stripes[k].have = make(map[string]struct{})
	}
}

func (i *interest) update(channel string) error {
	stripe := &i.stripes[maphash.String(i.seed, channel)%interestStripes]
	stripe.mu.Lock()
	defer stripe.mu.Unlock()
	_, have := stripe.have[channel]
	want := i.wanted(channel)
	switch {
	case want && !have:
		if err := i.broker.Subscribe(context.Background(), channel); err != nil {
			return err
		}
		stripe.have[channel] = struct{}{}
	case have && !want:
		delete(stripe.have, channel)
		return i.broker.Unsubscribe(context.Background(), channel)
	}
	return nil
}
