package data

import (
	"context"
	"database/sql"

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
// are large; none means that after is at or above the head. Limits above 1,000, and those that are
// not positive, count as 1,000.
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
