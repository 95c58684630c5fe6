package data

import (
	"context"
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// membersLookedAt bounds how many members one page of watermarks looks at.
const membersLookedAt = 5000

// Watermarks is a biz.WatermarkRepo.
type Watermarks struct{ db *DB }

// NewWatermarks returns the watermarks in db.
func NewWatermarks(db *DB) *Watermarks { return &Watermarks{db: db} }

const (
	selectFurther = `SELECT no FROM members WHERE room_id = ? AND no > ? ORDER BY no LIMIT 1 OFFSET ?`

	selectWatermarks = `SELECT m.no, m.user_id, m.read_seq,
		(SELECT coalesce(max(c.delivered), 0) FROM cursors c WHERE c.user_id = m.user_id AND c.room_id = m.room_id)
		FROM members m WHERE m.room_id = ? AND m.no > ? AND m.no <= ? AND m.read_seq >= ? ORDER BY m.no LIMIT ?`

	maxNo = int64(1)<<62 - 1
)

// Watermarks implements biz.WatermarkRepo. What it asks for does not grow with the room.
func (w *Watermarks) Watermarks(ctx context.Context, room biz.RoomID, after, seq int64, limit int) (page []biz.Watermark, next int64, err error) {
	upTo := maxNo
	if seq > 0 { // else every member counts, and the page ends where it is full
		err := w.db.reader.scanning(ctx)(selectFurther, []any{string(room), after, membersLookedAt - 1}, &upTo)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return nil, 0, storeError(err)
		default:
			next = upTo
		}
	}
	err = w.db.reader.each(ctx, selectWatermarks, []any{string(room), after, upTo, seq, limit}, func(rows *sql.Rows) error {
		var no int64
		var user string
		var m biz.Watermark
		err := rows.Scan(&no, &user, &m.Read, &m.Delivered)
		m.User, m.Delivered = biz.UserID(user), max(m.Read, m.Delivered)
		if page = append(page, m); len(page) == limit {
			next = no
		}
		return err
	})
	if err != nil {
		return nil, 0, storeError(err)
	}
	return page, next, nil
}
