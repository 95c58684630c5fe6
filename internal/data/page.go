package data

import (
	"context"
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// A page has at most maxPage messages, and ends before it would exceed maxPageBytes of content and
// metadata, though it always has one message.
const (
	maxPage      = 1000
	maxPageBytes = 512 << 10
)

const selectPage = `SELECT ` + messageColumns + ` FROM messages WHERE room_id = ? AND seq > ? ORDER BY seq LIMIT ?`

// Page returns messages of room above after, in order, at most limit of them and fewer when they
// are large; none means that after is at or above the head, or that nothing above it
// is kept. Limits above 1,000, and those that are not positive, count as 1,000.
func (l *MessageLog) Page(ctx context.Context, room biz.RoomID, after int64, limit int) ([]*biz.Message, error) {
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	var page []*biz.Message
	size := 0
	err := l.db.reader.each(ctx, selectPage, []any{string(room), after, limit}, func(rows *sql.Rows) error {
		var r messageRow
		if err := rows.Scan(r.fields()...); err != nil {
			return err
		}
		size += len(r.Content) + len(r.Metadata)
		if size > maxPageBytes && len(page) > 0 {
			return errEnough
		}
		m, err := fromMessageRow(&r)
		page = append(page, m)
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return page, nil
}

const selectFloor = `SELECT floor_seq FROM rooms WHERE id = ?`

// Floor reads the retention floor of a room; see biz.MessageLog. It does not ask the cache, which may not
// have heard yet of what another node, or a moment ago this one, has deleted.
func (l *MessageLog) Floor(ctx context.Context, room biz.RoomID) (floor int64, err error) {
	err = l.db.reader.scanning(ctx)(selectFloor, []any{string(room)}, &floor)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, biz.ErrRoomNotFound(room)
	}
	return floor, storeError(err)
}
