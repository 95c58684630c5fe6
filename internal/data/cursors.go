package data

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Cursors is a biz.CursorRepo. Moves gather in memory until Run writes them.
type Cursors struct {
	db     *DB
	logger *slog.Logger
	moves  *coalescer[cursorPlace, biz.DeviceID]
}

type cursorPlace struct {
	user biz.UserID
	room biz.RoomID
}

// NewCursors returns the cursors in db.
func NewCursors(db *DB, logger *slog.Logger) *Cursors {
	return &Cursors{db: db, logger: logger, moves: newCoalescer[cursorPlace, biz.DeviceID]()}
}

// Advance moves a cursor forward, never back, and returns at once.
func (c *Cursors) Advance(to biz.Cursor) {
	c.moves.raise(mark[cursorPlace, biz.DeviceID]{cursorPlace{to.User, to.Room}, to.Device, to.Delivered})
}

// maxAsked bounds how many rooms one query names.
const maxAsked = 500

// touchAfter is the age at which a cursor that is asked for is written again: being asked for is
// use, and the janitor takes those that are not used.
const touchAfter = 24 * time.Hour

// Cursors returns the cursors of one user in the given rooms, moves included that are not written
// yet. A room without any is absent.
func (c *Cursors) Cursors(ctx context.Context, user biz.UserID, device biz.DeviceID, rooms []biz.RoomID) (map[biz.RoomID]biz.CursorState, error) {
	states := make(map[biz.RoomID]biz.CursorState, len(rooms))
	// Memory comes first: what leaves it before it is read is in the database by then.
	for _, room := range rooms {
		for _, m := range c.moves.of(cursorPlace{user, room}) {
			merge(states, room, m.key == device, m.value)
		}
	}
	for part := range slices.Chunk(rooms, maxAsked) {
		var rows []cursorRow
		err := c.db.reading(ctx).Where("user_id = ? AND room_id IN ?", string(user), part).Find(&rows).Error
		if err != nil {
			return nil, storeError(err)
		}
		for _, r := range rows {
			own := r.DeviceID == string(device)
			merge(states, biz.RoomID(r.RoomID), own, r.Delivered)
			if own {
				c.touch(r)
			}
		}
	}
	return states, nil
}

func (c *Cursors) touch(r cursorRow) {
	if time.Since(fromMicros(r.UpdatedAt)) > touchAfter {
		c.Advance(biz.Cursor{Room: biz.RoomID(r.RoomID), User: biz.UserID(r.UserID), Device: biz.DeviceID(r.DeviceID), Delivered: r.Delivered})
	}
}

func merge(states map[biz.RoomID]biz.CursorState, room biz.RoomID, own bool, delivered int64) {
	s := states[room]
	if own {
		s.Known = true
		s.Delivered = max(s.Delivered, delivered)
	}
	states[room] = s
}

// Run writes moves about twice a second, and the last ones when ctx ends.
func (c *Cursors) Run(ctx context.Context) error { return c.moves.run(ctx, c.Flush) }

const upsertCursor = `INSERT INTO cursors (user_id, room_id, device_id, delivered, updated_at) VALUES (?, ?, ?, ?, ?)
	ON CONFLICT (user_id, room_id, device_id) DO UPDATE
	SET delivered = max(delivered, excluded.delivered), updated_at = excluded.updated_at`

// Flush writes all moves that were made before it was called.
func (c *Cursors) Flush(ctx context.Context) error {
	now := time.Now().UnixMicro()
	err := c.moves.flush(func(part []mark[cursorPlace, biz.DeviceID]) error {
		err := c.db.writer.do(ctx, func(t *tx) error {
			for _, m := range part {
				if _, err := t.exec(upsertCursor, string(m.group.user), string(m.group.room), string(m.key), m.value, now); err != nil {
					return err
				}
			}
			return nil
		}, func() { c.db.metrics.flushed.WithLabelValues("cursor").Add(float64(len(part))) })
		return err
	})
	if err != nil {
		c.db.metrics.flushFails.WithLabelValues("cursor").Inc()
		c.logger.WarnContext(ctx, "cursors are not written yet", "error", err)
	}
	return err
}
