package data

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
)

// What became of pushes that had been kept, as hermod_store_settled_pushes_total has them.
const (
	settledDelivered = "delivered" // acknowledged
	settledExpired   = "expired"
	settledDropped   = "dropped" // for a newer one
)

const (
	deleteAcked   = `DELETE FROM inbox WHERE user_id = ? AND seq <= ?`
	deleteExpired = `DELETE FROM inbox WHERE user_id = ? AND expires_at <= ?`
)

// Run writes acknowledgements about twice a second, and the last ones when ctx ends.
func (b *Inbox) Run(ctx context.Context) error { return b.acks.run(ctx, b.Flush) }

// Flush writes all acknowledgements that were made before it was called. What had expired before anybody
// got it goes first, so that it is not taken for acknowledged with what comes after it.
func (b *Inbox) Flush(ctx context.Context) error {
	err := flushInbox(ctx, b.db, b.missed, settledExpired, func(t *tx, m mark[biz.UserID, int64]) (int64, error) {
		return t.exec(deletePush, string(m.group), m.key)
	})
	if err == nil {
		err = flushInbox(ctx, b.db, b.begun, settledExpired, func(t *tx, m mark[biz.UserID, struct{}]) (int64, error) {
			return t.exec(deleteExpired, string(m.group), m.value)
		})
	}
	if err == nil {
		err = flushInbox(ctx, b.db, b.acks, settledDelivered, func(t *tx, m mark[biz.UserID, struct{}]) (int64, error) {
			return t.exec(deleteAcked, string(m.group), m.value)
		})
	}
	if err != nil {
		b.db.metrics.flushFails.WithLabelValues("inbox").Inc()
		b.logger.WarnContext(ctx, "inbox acknowledgements are not written yet", "error", err)
	}
	return err
}

// flushInbox writes marks by deleting what they stand for, and counts that as the outcome.
func flushInbox[K comparable](ctx context.Context, db *DB, marks *coalescer[biz.UserID, K], outcome string, remove func(*tx, mark[biz.UserID, K]) (int64, error)) error {
	return marks.flush(func(part []mark[biz.UserID, K]) error {
		var gone int64
		return db.writer.do(ctx, func(t *tx) error {
			gone = 0 // the transaction may be tried again
			for _, m := range part {
				n, err := remove(t, m)
				if err != nil {
					return err
				}
				gone += n
			}
			return nil
		}, func() {
			db.metrics.flushed.WithLabelValues("inbox").Add(float64(len(part)))
			db.metrics.settled.WithLabelValues(outcome).Add(float64(gone))
		})
	})
}
