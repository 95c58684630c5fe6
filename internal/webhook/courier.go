package webhook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Courier delivers one webhook while it has the lease. Hear may be called by many goroutines at once.
type Courier struct {
	opts    Options
	stores  Stores
	owner   string
	sender  *sender
	metrics *Metrics
	log     *slog.Logger
	heard   *roomSet
	// Each has room for one: look for what is to be tried once more, or for rooms that have something.
	revived, lookAgain chan struct{}

	mu     sync.Mutex
	status biz.WebhookStatus
}

func newCourier(o Options, s Stores, owner string, m *Metrics, log *slog.Logger) *Courier {
	return &Courier{
		opts: o, stores: s, owner: owner, sender: newSender(o), metrics: m, log: log.With("webhook", o.Name),
		heard: newRoomSet(), revived: make(chan struct{}, 1), lookAgain: make(chan struct{}, 1),
	}
}

// hear takes that something was stored in a room.
func (c *Courier) hear(room biz.RoomID) {
	if c.opts.Room(room) {
		c.heard.add(room)
	}
}

// run delivers whenever this node has the lease, until ctx ends.
func (c *Courier) run(ctx context.Context) {
	defer c.sender.close()
	for ctx.Err() == nil {
		now := time.Now()
		lease, held, err := c.hold(ctx, now, now.Add(leaseFor))
		if held {
			c.metrics.holds(c.opts.Name, true)
			c.serve(ctx, lease, now.Add(leaseFor))
			c.metrics.holds(c.opts.Name, false)
			c.heard.clear() // whoever has it now sweeps
		} else if err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "it is not known who delivers; asking again", "error", err)
		}
		rest(ctx, leaseEvery)
	}
}

func (c *Courier) hold(ctx context.Context, now, until time.Time) (biz.WebhookLease, bool, error) {
	c.mu.Lock()
	h := biz.WebhookHold{Name: c.opts.Name, Owner: c.owner, Now: now, Until: until, WebhookStatus: c.status}
	c.mu.Unlock()
	return c.stores.Queue.Hold(ctx, h)
}

// note changes what operators are told.
func (c *Courier) note(change func(*biz.WebhookStatus)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.status)
}

// serve delivers until ctx ends or the lease does, and gives it back.
func (c *Courier) serve(ctx context.Context, l biz.WebhookLease, until time.Time) {
	c.log.InfoContext(ctx, "this node delivers the webhook", "term", l.Term)
	leased, cancel := context.WithCancel(ctx)
	defer cancel()
	// Nothing that was sent outlives the lease, and when the node stops it has a moment to end.
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	end := time.AfterFunc(time.Until(until)-leaseMargin, func() { cancel(); cut() })
	defer end.Stop()
	var beside sync.WaitGroup
	beside.Go(func() {
		c.renew(leased, l, func(until time.Time) { end.Reset(time.Until(until) - leaseMargin) }, cancel, cut)
	})
	beside.Go(func() { c.sweep(leased, l) })
	beside.Go(func() { c.revive(leased, l) })
	d := newDispatcher(c, l)
	d.run(leased, sending, cut)
	cancel()
	beside.Wait()
	last, done := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer done()
	d.settleLast(last)
	if now := time.Now(); ctx.Err() != nil {
		if _, _, err := c.hold(last, now, now); err != nil {
			c.log.WarnContext(ctx, "the webhook is not given back; another node waits for the lease to end", "error", err)
		}
	}
}

// renew keeps the lease, and ends everything when it is another node's.
func (c *Courier) renew(ctx context.Context, l biz.WebhookLease, last func(until time.Time), lost ...context.CancelFunc) {
	for rest(ctx, leaseEvery) {
		now := time.Now()
		next, held, err := c.hold(ctx, now, now.Add(leaseFor))
		switch {
		case err != nil: // what is left of it lasts for another try or two
		case !held || next.Term != l.Term:
			c.log.WarnContext(ctx, "another node delivers the webhook now")
			for _, end := range lost {
				end()
			}
			return
		default:
			last(now.Add(leaseFor))
		}
	}
}

// rest waits, and returns false if ctx ended meanwhile.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
