package data

import (
	"context"
	"time"
)

// purger deletes messages from the low end of rooms, in transactions that senders do not notice. One goroutine uses it.
type purger struct {
	db   *DB
	pace pace
}

// purge deletes what is due in the rooms of due, a part at a time. It returns false when the time was over before.
func (r *purger) purge(ctx context.Context, due purging, end time.Time, done *tally) (finished bool, err error) {
	for len(due.rooms) > 0 {
		if !time.Now().Before(end) {
			return false, nil
		}
		due.rows = r.pace.rows()
		if err := r.transact(&due); err != nil {
			return false, storeError(err)
		}
		done.rows += due.deleted
		done.rooms += int64(due.through)
		due.rooms = due.rooms[due.through:]
		if err := r.pace.rest(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (r *purger) transact(p *purging) error {
	var began time.Time
	return r.db.writer.transact(func(t *tx) error {
		began = time.Now()
		return p.run(t)
	}, func() {
		for _, f := range p.floors {
			r.db.memory.purged(f.room, f.seq)
		}
		r.db.metrics.purged.WithLabelValues("messages").Add(float64(p.deleted))
		for reason, n := range p.reasons {
			r.db.metrics.forgotten.WithLabelValues(reason).Add(float64(n))
		}
		r.pace.took(time.Since(began), r.db.writer.waiting.Load() > 0)
	})
}
