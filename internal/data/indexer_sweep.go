package data

import (
	"context"
	"database/sql"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// indexSweeping goes through all rooms, and then through all marks, a page at a time, for those that the index
// does not agree with. One goroutine uses it.
type indexSweeping struct {
	db     *DB
	wanted *wantedRooms

	marks   bool // the rooms are over
	at      biz.RoomID
	backlog int64
}

const (
	sweptMarks = 500
	// enoughWanted is when a sweep waits for what it has found already.
	enoughWanted = 1000
	// sweepRest is between two pages.
	sweepRest = 5 * time.Millisecond
)

var selectMarked = `SELECT ` + indexStateColumns + ` FROM rooms r LEFT JOIN search_marks s ON s.room_id = r.id
	WHERE r.id > ? ORDER BY r.id LIMIT ?`

// Marks of rooms that there are not any more.
const selectMarks = `SELECT s.room_id, r.id IS NULL FROM search_marks s LEFT JOIN rooms r ON r.id = s.room_id
	WHERE s.room_id > ? ORDER BY s.room_id LIMIT ?`

// step looks at the next page, and tells whether it was the last one.
func (w *indexSweeping) step(ctx context.Context) (over bool, err error) {
	if w.wanted.size() >= enoughWanted {
		return false, nil
	}
	page := w.rooms
	if w.marks {
		page = w.gone
	}
	n, err := page(ctx)
	if err != nil {
		return false, storeError(err)
	}
	if n == sweptMarks {
		return false, rest(ctx, sweepRest)
	}
	w.at, w.marks = "", !w.marks
	if w.marks {
		w.db.metrics.search.backlog.Set(float64(w.backlog))
		w.backlog = 0
	}
	return !w.marks, nil
}

func (w *indexSweeping) rooms(ctx context.Context) (n int, err error) {
	clears := w.db.dialect.search.clears()
	err = w.db.reader.each(ctx, selectMarked, []any{string(w.at), sweptMarks}, func(rows *sql.Rows) error {
		var s indexState
		if err := rows.Scan(s.fields()...); err != nil {
			return err
		}
		n++
		w.at = s.room
		if s.behind(clears) {
			w.backlog += max(0, s.head-max(s.indexed.Int64, s.floor))
			w.wanted.add(s.room)
		}
		return nil
	})
	return n, err
}

func (w *indexSweeping) gone(ctx context.Context) (n int, err error) {
	err = w.db.reader.each(ctx, selectMarks, []any{string(w.at), sweptMarks}, func(rows *sql.Rows) error {
		var gone bool
		if err := rows.Scan(&w.at, &gone); err != nil {
			return err
		}
		n++
		if gone {
			w.wanted.add(w.at)
		}
		return nil
	})
	return n, err
}
