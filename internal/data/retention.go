package data

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

const (
	// sweptRooms is how many rooms are looked at in one query.
	sweptRooms = 500
	// sweepTime ends a sweep, so that the other tables get theirs; the next goes on where it ended.
	sweepTime = 40 * time.Second
)

// retention deletes messages that have had their time, room after room in the order of ids. One goroutine
// uses it. Several, on one node or on many, do no harm: the room's row is locked while its floor rises.
type retention struct {
	purger
	room string // the last that was looked at
}

// tally is what a sweep did.
type tally struct {
	rooms, rows int64
	lag         time.Duration // by which the most overdue message that was found had outlived its time
}

// sweep deletes what keep and the rooms themselves say. It looks at every room unless that takes too long.
func (r *retention) sweep(ctx context.Context, now time.Time, keep biz.Retention, log *slog.Logger) error {
	began := time.Now()
	var done tally
	err := r.sweepRooms(ctx, now, keep, &done)
	r.db.metrics.retentionLag.Set(done.lag.Seconds())
	if done.rows > 0 {
		log.InfoContext(ctx, "messages that had their time are deleted", "messages", done.rows, "rooms", done.rooms,
			"lag", done.lag.Round(time.Second), "took", time.Since(began).Round(time.Millisecond))
	}
	return err
}

func (r *retention) sweepRooms(ctx context.Context, now time.Time, keep biz.Retention, done *tally) error {
	for end := time.Now().Add(sweepTime); time.Now().Before(end); {
		page, err := r.page(ctx, keep)
		if err != nil {
			return storeError(err)
		}
		var due []biz.RoomID
		for _, room := range page {
			if lag, passed := room.lag(keep, now); passed {
				due = append(due, room.id)
				done.lag = max(done.lag, lag)
			}
		}
		if finished, err := r.purge(ctx, purging{rooms: due, now: now, keep: keep}, end, done); err != nil || !finished {
			return err
		}
		if len(page) < sweptRooms {
			r.room = ""
			return nil
		}
		r.room = string(page[len(page)-1].id)
	}
	return nil
}

// sweptRoom is a room with its oldest message.
type sweptRoom struct {
	id      biz.RoomID
	ttl     int64
	head    int64
	floor   int64
	created sql.NullInt64 // of the message above the floor
}

// Rooms that nothing limits are passed by the database: there may be very many.
const selectSwept = `SELECT r.id, r.message_ttl, r.head_seq, r.floor_seq, m.created_at FROM rooms r
	LEFT JOIN messages m ON m.room_id = r.id AND m.seq = r.floor_seq + 1
	WHERE r.id > ? AND (r.message_ttl > 0 OR ? > 0) ORDER BY r.id LIMIT ?`

func (r *retention) page(ctx context.Context, keep biz.Retention) (page []sweptRoom, err error) {
	err = r.db.reader.each(ctx, selectSwept, []any{r.room, limiting(keep), sweptRooms}, func(rows *sql.Rows) error {
		var room sweptRoom
		err := rows.Scan(&room.id, &room.ttl, &room.head, &room.floor, &room.created)
		page = append(page, room)
		return err
	})
	return page, err
}

// limiting is 1 if the node itself limits what is kept of rooms, for a query.
func limiting(keep biz.Retention) int {
	if keep.LastSeen = 0; keep == (biz.Retention{}) {
		return 0
	}
	return 1
}

// lag tells whether the oldest message has passed the horizon, and by how much if that is its age.
func (r *sweptRoom) lag(keep biz.Retention, now time.Time) (lag time.Duration, passed bool) {
	if !r.created.Valid {
		return 0, false
	}
	created := fromMicros(r.created.Int64)
	h := keep.Horizon(time.Duration(r.ttl)*time.Microsecond, r.head, now)
	return max(0, h.Before.Sub(created)), h.Passed(r.floor+1, created)
}
