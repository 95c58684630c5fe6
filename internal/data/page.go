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

const selectPage = `SELECT room_id, seq, id, sender, client_id, type, content, metadata, ack_required, created_at
	FROM messages WHERE room_id = ? AND seq > ? ORDER BY seq LIMIT ?`

// Page returns messages of room above after, in order, at most limit of them and fewer when they
// are large; none means that after is at or above the head. Limits above 1,000, and those that are
// not positive, count as 1,000.
func (l *MessageLog) Page(ctx context.Context, room biz.RoomID, after int64, limit int) ([]*biz.Message, error) {
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	rows, err := l.db.reading(ctx).Raw(selectPage, string(room), after, limit).Rows()
	if err != nil {
		return nil, storeError(err)
	}
	page, err := scanPage(rows, limit)
	if err != nil {
		return nil, storeError(err)
	}
	return page, nil
}

func scanPage(rows *sql.Rows, limit int) (page []*biz.Message, err error) {
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	page = make([]*biz.Message, 0, min(limit, 128))
	for size := 0; rows.Next(); {
		var r messageRow
		if err := rows.Scan(&r.RoomID, &r.Seq, &r.ID, &r.Sender, &r.ClientID, &r.Type, &r.Content, &r.Metadata, &r.AckRequired, &r.CreatedAt); err != nil {
			return nil, err
		}
		size += len(r.Content) + len(r.Metadata)
		if size > maxPageBytes && len(page) > 0 {
			return page, nil
		}
		m, err := fromMessageRow(&r)
		if err != nil {
			return nil, err
		}
		page = append(page, m)
	}
	return page, rows.Err()
}
