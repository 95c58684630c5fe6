package data

import (
	"context"
	"database/sql"
	"slices"

	"github.com/game-im/hermod/internal/biz"
)

const updateMark = `UPDATE members SET read_seq = ? WHERE room_id = ? AND user_id = ? AND read_seq < ?`

// MarkRead raises the mark of a member, and never lowers it. Marks that are set at the same time are
// committed together.
func (h *History) MarkRead(ctx context.Context, room biz.RoomID, user biz.UserID, seq int64) error {
	return h.db.writer.do(ctx, func(t *tx) error {
		_, err := t.exec(updateMark, seq, string(room), string(user), seq)
		return err
	}, func() {})
}

// countUnread reads no further than it counts, from the newest message down.
func countUnread(i string) string {
	return `SELECT ` + i + ` AS part, count(*) FROM (
		SELECT 1 FROM messages WHERE room_id = ? AND seq > ? AND seq <= ? AND sender <> ? ORDER BY seq DESC LIMIT ?
	) AS some` + i
}

var (
	selectUnread     = countUnread("0")
	selectUnreadMany = unionOf(spansAtOnce, countUnread)
)

// Unread counts, for each span, the messages that are not the user's own, up to most.
func (h *History) Unread(ctx context.Context, user biz.UserID, spans []biz.Span, most int) ([]int, error) {
	counts := make([]int, 0, len(spans))
	for part := range h.db.atOnce(spans) {
		query, args := unreadOf(user, part, most)
		found := make([]int, spansAtOnce)
		err := h.db.reader.each(ctx, query, args, func(rows *sql.Rows) error {
			var i, n int
			err := rows.Scan(&i, &n)
			found[i] = n
			return err
		})
		if err != nil {
			return nil, storeError(err)
		}
		counts = append(counts, found[:len(part)]...)
	}
	return counts, nil
}

func unreadOf(user biz.UserID, spans []biz.Span, most int) (query string, args []any) {
	for _, s := range spans {
		args = append(args, string(s.Room), s.After, s.To, string(user), most)
	}
	if len(spans) == 1 {
		return selectUnread, args
	}
	none := []any{"", int64(0), int64(0), string(user), 0}
	return selectUnreadMany, append(args, slices.Repeat(none, spansAtOnce-len(spans))...)
}
