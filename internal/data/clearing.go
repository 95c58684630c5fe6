package data

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// clearing deletes what is left of deleted rooms, a part at a time. One goroutine uses it; several, on one node or on
// many, do no harm.
type clearing struct {
	db   *DB
	pace pace
}

const (
	// clearedRooms is how many rooms are looked up in one query; clearTime ends a sweep, and the next goes on.
	clearedRooms = 100
	clearTime    = 20 * time.Second

	selectEnded   = `SELECT room_id, floor_seq FROM ended_rooms WHERE room_id > ? ORDER BY room_id LIMIT ?`
	selectLowest  = `SELECT seq FROM messages WHERE room_id = ? AND seq <= ? ORDER BY seq LIMIT 1`
	selectDeleted = `SELECT deleted_at FROM rooms WHERE id = ?`
	deleteCleared = deleteEnded + ` AND floor_seq = ?`
)

// endedRoom is a room of which something may be left.
type endedRoom struct {
	id    string
	floor int64
}

func (c *clearing) sweep(ctx context.Context) error {
	end, after := time.Now().Add(clearTime), ""
	for {
		page, err := c.page(ctx, after)
		if err != nil {
			return storeError(err)
		}
		for _, room := range page {
			for done := false; !done; {
				if !time.Now().Before(end) {
					return nil
				}
				if done, err = c.clear(room); err != nil {
					return storeError(err)
				}
				if err := c.pace.rest(ctx); err != nil {
					return err
				}
			}
			after = room.id
		}
		if len(page) < clearedRooms {
			return nil
		}
	}
}

func (c *clearing) page(ctx context.Context, after string) (page []endedRoom, err error) {
	err = c.db.reader.each(ctx, selectEnded, []any{after, clearedRooms}, func(rows *sql.Rows) error {
		var room endedRoom
		err := rows.Scan(&room.id, &room.floor)
		page = append(page, room)
		return err
	})
	return page, err
}

// clear deletes a part of a room and tells whether that was the last.
func (c *clearing) clear(room endedRoom) (done bool, err error) {
	var messages, members int64
	var began time.Time
	err = c.db.writer.transact(func(t *tx) (err error) {
		began, done, members = time.Now(), false, 0 // it may run again
		rows := c.pace.rows()
		if messages, err = clearMessages(t, room, rows); err != nil {
			return err
		}
		if messages > 0 { // the members have their turn when none is left
			return nil
		}
		if members, err = clearMembers(t, room, rows); err != nil || members == int64(rows) {
			return err
		}
		done = true
		_, err = t.exec(deleteCleared, room.id, room.floor)
		return err
	}, func() {
		c.db.metrics.purged.WithLabelValues("messages").Add(float64(messages))
		c.db.metrics.forgotten.WithLabelValues(purgedRoom).Add(float64(messages))
		c.db.metrics.purged.WithLabelValues("members").Add(float64(members))
		c.pace.took(time.Since(began), c.db.writer.waiting.Load() > 0)
	})
	return done && err == nil, err
}

// clearMessages deletes the lowest ones, and counts no less than one when there are more.
func clearMessages(t *tx, room endedRoom, rows int) (int64, error) {
	var lowest int64
	err := t.scan(selectLowest, []any{room.id, room.floor}, &lowest)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return deleteMessages(t, room.id, lowest-1, min(lowest+int64(rows)-1, room.floor))
}

// clearMembers leaves those alone of a room that was made again: the ones from before were gone by then.
func clearMembers(t *tx, room endedRoom, rows int) (int64, error) {
	var deleted int64
	err := t.locked(selectDeleted, []any{room.id}, &deleted)
	if errors.Is(err, sql.ErrNoRows) || err == nil && deleted == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return deleteMembers(t, room.id, rows)
}
