package outbox

import (
	"context"
	"time"
)

// A worker leaves its lane behind so many batches, so that none keeps the others waiting for ever.
const maxBatches = 16

// settleTimeout bounds the writing of what has become of a batch once Run is to end; before, the lease does.
const settleTimeout = 5 * time.Second

// work delivers what waits in a lane, batch by batch, until it is empty, something has to wait or ctx ends.
func (r *Relay) work(ctx context.Context, h head) report {
	done := report{lane: h.Lane}
	for range maxBatches {
		again, err := r.batch(ctx, h)
		done.again = again
		if done.err = err; err != nil || !again.IsZero() || ctx.Err() != nil {
			break
		}
		next, found, err := r.box.next(ctx, h.Lane, time.Now())
		if err != nil || !found {
			done.err = err
			return done
		}
		h = next
	}
	if done.again.IsZero() && done.err == nil {
		done.again = time.Now()
	}
	return done
}

// batch delivers one batch, and returns when the first item that has to wait may be tried again.
func (r *Relay) batch(ctx context.Context, h head) (again time.Time, err error) {
	began := time.Now()
	batch, err := r.box.take(ctx, h, began, r.opts.Lease)
	if err != nil || len(batch) == 0 { // somebody else was faster
		return time.Time{}, err
	}
	o, ends := r.deliver(ctx, batch, began)
	settling, cancel := settling(ctx, began.Add(r.opts.Lease))
	defer cancel()
	if err := r.box.settle(settling, o, time.Now()); err != nil {
		return time.Time{}, err // the lease runs out, and calls that are made again have no effect
	}
	for _, end := range ends {
		r.tell(end)
	}
	if o.later != nil {
		r.counters.retried.Add(1)
		return o.later.until, nil
	}
	return time.Time{}, nil
}

// settling outlives ctx by settleTimeout, but not the lease. A database that is slow is waited for: what it is not told of
// is sent again.
func settling(ctx context.Context, leased time.Time) (context.Context, context.CancelFunc) {
	settling, cancel := context.WithDeadline(context.WithoutCancel(ctx), leased)
	stop := context.AfterFunc(ctx, func() {
		late := time.AfterFunc(settleTimeout, cancel)
		context.AfterFunc(settling, func() { late.Stop() })
	})
	return settling, func() { stop(); cancel() }
}

// deliver makes the calls of a batch, one behind the other, and stops where one has to be made again, where the lease
// could end or when ctx does.
func (r *Relay) deliver(ctx context.Context, batch []entry, began time.Time) (o outcome, ends []End) {
	calling := context.WithoutCancel(ctx) // what is sent is sent to its end
	for _, e := range batch {
		if ctx.Err() != nil || time.Since(began) > r.opts.Lease/3 {
			o.release = e.ID
			return o, ends
		}
		item, err := decode(e.Kind, e.ItemID, e.Payload)
		v := verdict{fate: refused, reason: ReasonUnreadable}
		switch now := time.Now(); {
		case err != nil:
			item, v.detail = nil, err.Error()
		case r.tooOld(e, now):
			v.reason, v.detail = ReasonTooOld, "it was first tried "+now.Sub(time.UnixMilli(e.TriedAt)).Round(time.Second).String()+" ago"
		default:
			v = r.attempt(calling, e, item)
			r.noteAnswer(e.Kind, v)
		}
		if later := r.later(e, v); later != nil {
			o.later = later
			return o, ends
		}
		ends = append(ends, r.conclude(&o, e, item, v))
	}
	return o, ends
}

func (r *Relay) tooOld(e entry, now time.Time) bool {
	return now.Sub(time.UnixMilli(e.TriedAt)) > r.opts.GiveUpAfter
}

// noteAnswer opens and closes the gate of a kind.
func (r *Relay) noteAnswer(k kind, v verdict) {
	if v.unasked {
		return
	}
	g := r.gates[k]
	switch v.fate {
	case away:
		if _, first := g.fail(time.Now()); first {
			r.opts.Log.Warn("outbox: Hermod does not take "+k.String(), "reason", v.reason, "detail", v.detail)
		}
	case silent:
	default:
		if g.pass() {
			r.opts.Log.Info("outbox: Hermod takes " + k.String() + " again")
		}
	}
}

// String is the kind in the plural, for people.
func (k kind) String() string {
	if k == kindPush {
		return "pushes"
	}
	return "messages"
}

// later says when an entry is to be tried again; nil: never.
func (r *Relay) later(e entry, v verdict) *delay {
	d := &delay{id: e.ID, failure: v.fate == failed, definite: v.definite}
	switch v.fate {
	case away, silent:
	case failed:
		if e.Failures+1 >= r.opts.Attempts {
			return nil
		}
	default:
		return nil
	}
	wait := max(r.opts.backoff(e.Tries+1), v.advice)
	d.until = time.Now().Add(wait)
	return d
}

// conclude notes the end of an entry.
func (r *Relay) conclude(o *outcome, e entry, item Item, v verdict) End {
	end := End{ID: e.ItemID, Item: item, Reason: v.reason, Detail: v.detail, Seq: v.seq, Took: time.Since(time.UnixMilli(e.AddedAt))}
	switch v.fate {
	case sent:
		end.Result, end.Reason, end.Detail = Sent, "", ""
		o.done = append(o.done, e.ID)
	case missed:
		end.Result = Missed
		o.done = append(o.done, e.ID)
	default:
		end.Result = Aside
		o.parked = append(o.parked, parking{id: e.ID, reason: cut(v.reason, 64), detail: cut(v.detail, 1000), definite: v.definite})
	}
	return end
}

func (r *Relay) tell(end End) {
	switch end.Result {
	case Sent:
		r.counters.sent.Add(1)
	case Missed:
		r.counters.missed.Add(1)
	case Aside:
		r.counters.parked.Add(1)
		r.opts.Log.Warn("outbox: an item is parked", "id", end.ID, "reason", end.Reason, "detail", end.Detail)
	}
	if r.opts.OnEnd != nil {
		r.opts.OnEnd(end)
	}
}

// cut bounds a text for its column, whose length counts characters, and leaves out what databases cannot keep.
func cut(text string, most int) string {
	var kept []rune
	for _, c := range text {
		if len(kept) == most {
			break
		}
		if c != 0 {
			kept = append(kept, c)
		}
	}
	return string(kept)
}
