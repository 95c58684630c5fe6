package cluster

import (
	"context"
	"slices"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// together bounds the bytes of publications that go as one message: more would hold up what is behind it, and be lost
// at once.
const together = 64 << 10

// Publish implements broker.Broker. What is too large for the engine goes as the news that the channel's
// log has it, if it has.
func (b *Broker) Publish(_ context.Context, p *frame.Publication) error {
	if p.Origin != "" || b.interest.has(p.Channel) {
		b.handlers.Publication(p)
	}
	e, err := seal(b.opt.Codec, b.opt.Self.ID, p)
	if err != nil {
		return err
	}
	return b.post(&e, p)
}

// PublishAll implements broker.Gatherer.
func (b *Broker) PublishAll(_ context.Context, ps []*frame.Publication) (failed error) {
	if b.interest.has(ps[0].Channel) || slices.ContainsFunc(ps, func(p *frame.Publication) bool { return p.Origin != "" }) {
		b.handlers.Take(ps)
	}
	for len(ps) > 0 {
		n, err := b.postSome(ps)
		if failed == nil {
			failed = err
		}
		ps = ps[n:]
	}
	return failed
}

// postSome sends those that come first and fit into one message, and tells how many that are.
func (b *Broker) postSome(ps []*frame.Publication) (n int, err error) {
	first, err := seal(b.opt.Codec, b.opt.Self.ID, ps[0])
	if err != nil {
		return 1, err
	}
	most := together
	if engine := b.bus.MaxBytes(); engine > 0 {
		most = min(most, engine)
	}
	size := first.size()
	for n = 1; n < len(ps); n++ {
		e, err := seal(b.opt.Codec, "", ps[n])
		if err != nil {
			break // it is the first of the next ones
		}
		e.kind, e.channel = 0, ""
		if size += e.size() + 8; size > most {
			break
		}
		first.more = append(first.more, e.marshal())
	}
	return n, b.post(&first, ps[:n]...)
}

// post sends an envelope with publications of one channel to the others.
func (b *Broker) post(e *envelope, ps ...*frame.Publication) error {
	last := ps[len(ps)-1]
	data := e.marshal()
	if err := b.fits(data); err != nil {
		if last.Seq == 0 {
			return err
		}
		data = (&envelope{kind: kindPublication, node: e.node, channel: e.channel, seq: last.Seq}).marshal()
	}
	b.metrics.published.Add(float64(len(ps)))
	if last.Seq > 0 || last.Turn.Number > 0 {
		b.heads.note(last.Channel, last.Seq, last.Turn)
	}
	holed := last.Channel
	if last.Ephemeral != "" {
		holed = "" // nobody could make up for it
	}
	if !b.out.push(Message{Subject: b.subject(last.Channel), Data: data}, holed) {
		b.metrics.dropped("outbox", 1)
	}
	return nil
}

var _ broker.Gatherer = (*Broker)(nil)
