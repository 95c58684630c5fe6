package webhook

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/game-im/hermod/internal/biz"
)

// flight is one request on its way, with its rooms.
type flight struct {
	parts []*part
	response
	sent bool  // there was something to send
	err  error // the store's: nothing came of it
}

// part is what a flight has of one room. Its place is a copy: the room's own is the dispatcher's.
type part struct {
	room   *room
	epoch  int // of the room
	limit  int
	place  biz.WebhookPlace
	known  bool // the place
	to     int64
	wanted []*biz.Message
	missed int64 // messages that had been deleted before they were read
	more   bool  // there is, above to
	read   bool
}

func newFlight(batch []*room) *flight {
	f := &flight{}
	for _, r := range batch {
		p := &part{room: r, epoch: r.epoch, limit: r.limit}
		if r.place != nil {
			p.place, p.known = *r.place, true
		}
		f.parts = append(f.parts, p)
	}
	return f
}

// fly reads what the rooms have, and sends it.
func (c *Courier) fly(ctx context.Context, l biz.WebhookLease, f *flight) {
	left, bytes := c.opts.Batch, 0
	var all []*biz.Message
	id := newDeliveryID(l.Name)
	for _, p := range f.parts {
		if left <= 0 || bytes > batchBytes {
			break
		}
		if f.err = c.read(ctx, l, p, left, &bytes); f.err != nil {
			return
		}
		left -= len(p.wanted)
		all = append(all, p.wanted...)
		id.add(p.place.Replays, p.wanted)
	}
	if f.sent = len(all) > 0; !f.sent {
		return
	}
	if f.response = c.post(ctx, id.String(), all); f.verdict != delivered {
		f.err = ctx.Err() // it was not the endpoint that ended it
	}
}

// read reads the next messages of a room, as many as there is room for.
func (c *Courier) read(ctx context.Context, l biz.WebhookLease, p *part, left int, bytes *int) (err error) {
	if !p.known {
		if p.place, err = c.stores.Queue.Place(ctx, l, p.room.id); err != nil {
			return err
		}
		p.known = true
	}
	p.read, p.to = true, p.place.Seq
	if p.limit > 0 {
		left = min(left, p.limit)
	}
	limit := left + 1 // a little more than is sent, for what is not wanted among it
	page, err := c.stores.Log.Page(ctx, p.room.id, p.place.Seq, limit)
	if err != nil {
		return err
	}
	size := 0
	for _, m := range page {
		if len(p.wanted) == left || *bytes > batchBytes {
			p.more = true
			return nil
		}
		p.missed += m.Seq - p.to - 1
		p.to = m.Seq
		size += m.Bytes()
		if c.opts.Wants(m) {
			p.wanted = append(p.wanted, m)
			*bytes += m.Bytes()
		}
	}
	p.more = len(page) == limit || size > fullPage
	if len(page) == 0 && p.place.Head > p.to { // all of it was deleted
		p.missed, p.to = p.place.Head-p.to, p.place.Head
	}
	return nil
}

// fullPage is how many bytes of messages there may be more behind: a log cuts pages that are large.
const fullPage = 64 << 10

// post encodes messages and sends them.
func (c *Courier) post(ctx context.Context, id string, all []*biz.Message) response {
	texts := make([]json.RawMessage, len(all))
	for i, m := range all {
		text, err := c.stores.Encode(m)
		if err != nil {
			return response{verdict: refused, reason: fmt.Sprintf("cannot be written as JSON: %v", err)}
		}
		texts[i] = text
	}
	body, err := c.sender.body(texts)
	if err != nil {
		return response{verdict: refused, reason: fmt.Sprintf("cannot be written as JSON: %v", err)}
	}
	return c.metrics.timed(c.opts.Name, func() response { return c.sender.send(ctx, id, body) })
}
