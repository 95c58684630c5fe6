package data

import (
	"cmp"
	"context"
	"database/sql"
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

// A query names one room, as most that ask want no more, or askedRooms.
const (
	askedRooms    = 64
	selectCursors = `SELECT ` + cursorColumns + ` FROM cursors WHERE user_id = ? AND room_id `
)

var (
	selectInOne  = selectCursors + `= ?`
	selectInMany = selectCursors + `IN (` + places(askedRooms) + `)`
)

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
	for part := range slices.Chunk(rooms, askedRooms) {
		query, args := askFor(user, part, selectInOne, selectInMany)
		err := c.db.reader.each(ctx, query, args, func(rows *sql.Rows) error {
			var r cursorRow
			if err := rows.Scan(r.fields()...); err != nil {
				return err
			}
			own := r.DeviceID == string(device)
			merge(states, biz.RoomID(r.RoomID), own, r.Delivered)
			if own {
				c.touch(r)
			}
			return nil
		})
		if err != nil {
			return nil, storeError(err)
		}
	}
	return states, nil
}

// askFor is a query about a user and rooms, with one place for a room or with askedRooms. It names the last room again and again where there are fewer than the query has places for,
// which changes nothing: a statement for each number of rooms would be too many to keep.
func askFor(user biz.UserID, rooms []biz.RoomID, one, many string) (query string, args []any) {
	if len(rooms) == 1 {
		return one, []any{string(user), string(rooms[0])}
	}
	args = make([]any, 1, 1+askedRooms)
	args[0] = string(user)
	for i := range askedRooms {
		args = append(args, string(rooms[min(i, len(rooms)-1)]))
	}
	return many, args
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

var insertCursor = insertInto("cursors", cursorColumns)

// Flush writes all moves that were made before it was called.
func (c *Cursors) Flush(ctx context.Context) error {
	now := time.Now().UnixMicro()
	err := c.moves.flush(func(part []mark[cursorPlace, biz.DeviceID]) error {
		return c.db.writer.do(ctx, func(t *tx) error { return raiseCursors(t, part, now) },
			func() { c.db.metrics.flushed.WithLabelValues("cursor").Add(float64(len(part))) })
	})
	if err != nil {
		c.db.metrics.flushFails.WithLabelValues("cursor").Inc()
		c.logger.WarnContext(ctx, "cursors are not written yet", "error", err)
	}
	return err
}

// raiseCursors writes moves, in one statement where one for each would keep the writer from messages for as many
// round trips. They are in the order of their keys, so that nodes wait for each other and never in a circle.
func raiseCursors(t *tx, moves []mark[cursorPlace, biz.DeviceID], now int64) error {
	slices.SortFunc(moves, func(x, y mark[cursorPlace, biz.DeviceID]) int {
		return cmp.Or(cmp.Compare(x.group.user, y.group.user), cmp.Compare(x.group.room, y.group.room), cmp.Compare(x.key, y.key))
	})
	rows := make([][]any, len(moves))
	for i, m := range moves {
		rows[i] = []any{string(m.group.user), string(m.group.room), string(m.key), m.value, now}
	}
	if t.dialect.bulk != nil {
		return t.dialect.bulk.insert(t, cursorTable.where(t.dialect.raiseCursor), rows)
	}
	for _, row := range rows {
		if _, err := t.exec(insertCursor+t.dialect.raiseCursor, row...); err != nil {
			return err
		}
	}
	return nil
}
