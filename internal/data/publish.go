package data

import (
	"log/slog"
	"runtime/debug"

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
	if e.err == nil && !e.receipt.Duplicate {
		d := e.draft
		d.ID, d.Seq, d.Time = e.receipt.ID, e.receipt.Seq, e.receipt.Time
		p.guarded(func() { p.live.Deliver(d) })
	}
	p.guarded(func() { e.done(e.receipt, e.err) })
}

func (p *publisher) guarded(fn func()) {
	defer func() {
		if r := recover(); r != nil {
			p.metrics.panics.Inc()
			p.logger.Error("panic after a commit", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	fn()
}
