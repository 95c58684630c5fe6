package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// revivedAtOnce bounds how many ranges are looked up together.
const revivedAtOnce = 100

// revive tries what an operator wants tried once more, one range after the other, beside what is delivered in order.
func (c *Courier) revive(ctx context.Context, l biz.WebhookLease) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.revived:
		}
		for more := true; more && ctx.Err() == nil; {
			dead, err := c.stores.Graveyard.Wanted(ctx, c.opts.Name, revivedAtOnce)
			if err != nil {
				break // the next sweep has it tried again
			}
			more = len(dead) == revivedAtOnce
			for _, d := range dead {
				if err := c.reviveOne(ctx, l, d); err != nil {
					more = false
					break
				}
			}
		}
	}
}

// reviveOne sends what is left of a range. What is refused or out of reach is as dead as it was.
func (c *Courier) reviveOne(ctx context.Context, l biz.WebhookLease, d biz.WebhookDead) error {
	for at := d.From - 1; at < d.To; {
		page, err := c.stores.Log.Page(ctx, d.Room, at, int(min(int64(c.opts.Batch), d.To-at)))
		if err != nil {
			return err
		}
		if len(page) == 0 { // all of it was deleted
			break
		}
		at = page[len(page)-1].Seq
		id := newDeliveryID(fmt.Sprint(l.Name, " ", d.Died.UnixMicro()))
		wanted := page[:0:0]
		for _, m := range page {
			if m.Seq <= d.To && c.opts.Wants(m) {
				wanted = append(wanted, m)
			}
		}
		if len(wanted) == 0 {
			continue
		}
		id.add(0, wanted)
		if r := c.post(ctx, id.String(), wanted); r.verdict != delivered {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d.Died, d.Reason = time.Now(), r.reason
			return c.stores.Graveyard.Buried(ctx, d, false)
		}
		c.metrics.passed(c.opts.Name, len(wanted), 0)
	}
	return c.stores.Graveyard.Buried(ctx, d, true)
}
