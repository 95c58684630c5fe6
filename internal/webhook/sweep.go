package webhook

import (
	"context"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// sweep finds, again and again, the rooms that have something and that nobody has told of: what was stored before this
// node delivered, or by a node that did not live to tell.
func (c *Courier) sweep(ctx context.Context, l biz.WebhookLease) {
	for ctx.Err() == nil {
		wait := sweepEvery
		if err := c.sweepOnce(ctx, l); err != nil {
			wait = storeRetry
			if ctx.Err() == nil {
				c.log.WarnContext(ctx, "it is not known which rooms have something to deliver; looking again", "error", err)
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-c.lookAgain:
		}
		timer.Stop()
	}
}

func (c *Courier) sweepOnce(ctx context.Context, l biz.WebhookLease) error {
	var lag int64
	for after, over := biz.RoomID(""), false; !over; {
		for c.heard.size() >= fewRooms {
			if !rest(ctx, settleEvery) {
				return ctx.Err()
			}
		}
		b, err := c.stores.Queue.Behind(ctx, l, after)
		if err != nil {
			return err
		}
		for _, r := range b.Rooms {
			if c.opts.Room(r.Room) {
				c.heard.add(r.Room)
				lag += r.Messages
			}
		}
		after, over = b.Next, b.Next == ""
		rest(ctx, sweepRest)
	}
	c.metrics.lags(c.opts.Name, lag)
	c.note(func(s *biz.WebhookStatus) { s.Lag = lag })
	if err := c.stores.Graveyard.Forget(ctx, c.opts.Name, time.Now().Add(-c.opts.KeepDead)); err != nil {
		return err
	}
	select {
	case c.revived <- struct{}{}: // of what an operator has asked another node for
	default:
	}
	return nil
}
