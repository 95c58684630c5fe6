package data

import (
	"cmp"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/game-im/hermod/internal/biz"
)

// publisherParts bounds how many committed batches may wait for one publisher before the committer
// waits for it.
const publisherParts = 4

// publisher delivers and answers what was committed: room after room, what was said one after another at once.
type publisher struct {
	live    biz.Deliverer
	all     func(ds []*biz.Draft)
	queue   *queue
	metrics *metrics
	logger  *slog.Logger
	parts   chan []*entry
}

func newPublisher(live biz.Deliverer, q *queue, m *metrics, logger *slog.Logger) *publisher {
	p := &publisher{live: live, queue: q, metrics: m, logger: logger, parts: make(chan []*entry, publisherParts)}
	if gatherer, ok := live.(biz.Gatherer); ok {
		p.all = gatherer.DeliverAll
	} else {
		p.all = p.oneByOne
	}
	return p
}

func (p *publisher) oneByOne(ds []*biz.Draft) {
	for _, d := range ds {
		p.guarded(func() { p.live.Deliver(d) })
	}
}

// run publishes until parts is closed.
func (p *publisher) run() {
	for part := range p.parts {
		p.publish(part)
		p.queue.release(part)
		clear(part)
	}
}

// publish brings rooms together first; each keeps its order. Between rooms there is none.
func (p *publisher) publish(part []*entry) {
	slices.SortStableFunc(part, func(a, b *entry) int { return cmp.Compare(a.draft.Room, b.draft.Room) })
	for len(part) > 0 {
		n := saidTogether(part)
		if n > 0 {
			p.publishSaid(part[:n])
		} else {
			n = 1
			p.publishOther(part[0])
		}
		part = part[n:]
	}
}

// saidTogether counts the entries that come first and are new messages of one room. What is in between, such as
// a refusal, keeps its place, since its sender may see the order.
func saidTogether(part []*entry) (n int) {
	for n < len(part) && part[n].said() && part[n].draft.Room == part[0].draft.Room {
		n++
	}
	return n
}

// said tells whether an entry is a message that was stored now.
func (e *entry) said() bool { return e.deed == nil && e.err == nil && !e.receipt.Duplicate }

// publishSaid answers even when the delivery panicked: the messages are stored, and their receivers find
// them in the log.
func (p *publisher) publishSaid(entries []*entry) {
	drafts := make([]*biz.Draft, len(entries))
	for i, e := range entries {
		d := e.draft
		d.ID, d.Seq, d.Time = e.receipt.ID, e.receipt.Seq, e.receipt.Time
		d.ExpiresAt = e.expiresAt(d.Time)
		drafts[i] = d
	}
	p.guarded(func() { p.all(drafts) })
	for _, e := range entries {
		p.guarded(func() { e.done(e.receipt, nil) })
	}
}

func (p *publisher) publishOther(e *entry) {
	if e.deed != nil {
		p.publishDeed(e)
		return
	}
	p.guarded(func() { e.done(e.receipt, e.err) })
}

// publishDeed tells the room what an act has done, and answers. What has no place in the log gets one among what is
// said there from the sequencer; if that takes none, it has happened all the same.
func (p *publisher) publishDeed(e *entry) {
	answer := sync.OnceFunc(func() {
		p.end(e)
		p.guarded(func() { e.done(e.receipt, nil) })
	})
	if e.deed.said == nil {
		answer()
		return
	}
	e.draft.Message = *e.deed.said
	if live, ok := p.live.(biz.Sequencer); ok && !e.deed.stored && !e.deed.ended {
		if !p.guarded(func() { live.Sequence(e.draft, func(error) { answer() }) }) {
			answer()
		}
		return
	}
	p.guarded(func() { p.live.Deliver(e.draft) })
	answer()
}

// end takes off the room who is no longer in it, or everybody if it is no more, which was told first.
func (p *publisher) end(e *entry) {
	d := e.deed
	usher, ushers := p.live.(biz.Usher)
	switch {
	case d.ended && ushers && d.said != nil:
		p.guarded(func() { usher.Ended(d.said) })
	case d.left == "":
	case ushers && d.said != nil && d.left != e.draft.Sender:
		p.guarded(func() { usher.Dismiss(d.left, d.said) })
	default:
		p.guarded(func() { p.live.Left(e.draft.Room, d.left) })
	}
}

// guarded tells whether fn did not panic.
func (p *publisher) guarded(fn func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			p.metrics.panics.Inc()
			p.logger.Error("panic after a commit", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	fn()
	return true
}
