package data

import (
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/game-im/hermod/internal/biz"
)

// publisherParts bounds how many committed batches may wait for one publisher before the committer
// waits for it.
const publisherParts = 4

// publisher delivers and answers what was committed, one entry after another.
type publisher struct {
	live    biz.Deliverer
	queue   *queue
	metrics *metrics
	logger  *slog.Logger
	parts   chan []*entry
}

func newPublisher(live biz.Deliverer, q *queue, m *metrics, logger *slog.Logger) *publisher {
	return &publisher{live: live, queue: q, metrics: m, logger: logger, parts: make(chan []*entry, publisherParts)}
}

// run publishes until parts is closed.
func (p *publisher) run() {
	for part := range p.parts {
		for _, e := range part {
			p.publish(e)
		}
		p.queue.release(part)
		clear(part)
	}
}

// publish answers even when the delivery panicked: the message is stored, and its receivers find
// it in the log.
func (p *publisher) publish(e *entry) {
	if e.deed != nil {
		p.publishDeed(e)
		return
	}
	if e.err == nil && !e.receipt.Duplicate {
		d := e.draft
		d.ID, d.Seq, d.Time = e.receipt.ID, e.receipt.Seq, e.receipt.Time
		d.ExpiresAt = e.expiresAt(d.Time)
		p.guarded(func() { p.live.Deliver(d) })
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
