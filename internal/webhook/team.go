package webhook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Team is the couriers of a node. Its methods may be called by many goroutines at once.
type Team struct {
	couriers []*Courier
	tell     func([]biz.RoomID) // tells the other nodes; nil: there are none
	told     *roomSet           // what they are to be told
}

const (
	// tellEvery is how long word for other nodes waits for more.
	tellEvery = 100 * time.Millisecond
	// toldAtOnce bounds how many rooms other nodes are told of together.
	toldAtOnce = 256
)

// NewTeam returns couriers for webhooks, whose names differ. owner is the node, another one with each start. tell, if
// there are other nodes, tells them of rooms; it may fail without a word, since they sweep.
func NewTeam(webhooks []Options, s Stores, owner string, m *Metrics, log *slog.Logger) *Team {
	t := &Team{told: newRoomSet()}
	for _, o := range webhooks {
		m.begin(o.Name)
		t.couriers = append(t.couriers, newCourier(o, s, owner, m, log))
	}
	return t
}

// TellOthers has other nodes told of what this one stores. It is called before Run; tell must not block.
func (t *Team) TellOthers(tell func([]biz.RoomID)) { t.tell = tell }

// Empty tells that there is no webhook.
func (t *Team) Empty() bool { return len(t.couriers) == 0 }

// Stored takes that this node has stored something in a room. It does not block.
func (t *Team) Stored(room biz.RoomID) {
	t.Heard(room)
	if t.tell != nil {
		t.told.add(room)
	}
}

// Heard takes that another node has. It does not block.
func (t *Team) Heard(room biz.RoomID) {
	for _, c := range t.couriers {
		c.hear(room)
	}
}

// Run delivers until ctx ends.
func (t *Team) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, c := range t.couriers {
		running.Go(func() { c.run(ctx) })
	}
	if t.tell != nil && !t.Empty() {
		running.Go(func() { t.spread(ctx) })
	}
	running.Wait()
	return nil
}

func (t *Team) spread(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.told.woken:
		}
		if !rest(ctx, tellEvery) {
			return
		}
		for rooms := t.told.take(toldAtOnce); len(rooms) > 0; rooms = t.told.take(toldAtOnce) {
			t.tell(rooms)
		}
	}
}

// Kick has a webhook look at a room at once, since an operator has moved its place, or at all of them.
func (t *Team) Kick(name string, room biz.RoomID) {
	for _, c := range t.couriers {
		if c.opts.Name != name {
			continue
		}
		if room != "" {
			c.hear(room)
		}
		for _, look := range []chan struct{}{c.revived, c.lookAgain} {
			select {
			case look <- struct{}{}:
			default:
			}
		}
	}
}
