package data

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// messageSum is how many bytes the messages of a room have of which this is the last one, and that are as many as the
// sweep sums up at a time. The seq is a multiple of that, so that all nodes count the same.
type messageSum struct {
	room       biz.RoomID
	seq, bytes int64
}

const (
	sumColumns = `room_id, seq, bytes, counted_at`

	selectSums     = `SELECT coalesce(max(seq), 0), coalesce(sum(bytes), 0) FROM message_sums WHERE room_id = ? AND seq > ?`
	selectSumPage  = `SELECT seq, bytes FROM message_sums WHERE room_id = ? AND seq > ? ORDER BY seq LIMIT ?`
	selectOutdated = `SELECT seq FROM message_sums WHERE room_id = ? AND seq > ? AND counted_at < ? ORDER BY seq LIMIT ?`
)

var (
	// bytesOfMessage is what biz.Retention has a message count. No database reads a long content for its length,
	// apart from InnoDB.
	bytesOfMessage = `octet_length(content) + coalesce(octet_length(metadata), 0) + ` + strconv.Itoa(biz.MessageOverhead)
	selectBytes    = `SELECT coalesce(sum(` + bytesOfMessage + `), 0) FROM messages WHERE room_id = ? AND seq > ? AND seq <= ?`
	selectEach     = `SELECT seq, ` + bytesOfMessage + ` FROM messages WHERE room_id = ? AND seq > ? AND seq <= ? ORDER BY seq`

	insertSum = insertInto("message_sums", sumColumns)
	sumTable  = newBulkTable("message_sums", bulkColumn{"room_id", "text"}, bulkColumn{"seq", "bigint"}, bulkColumn{"bytes", "bigint"}, bulkColumn{"counted_at", "bigint"})
)

// sums returns what is noted above after: the last seq of that, 0 if there is none, and all bytes together.
func (r *reader) sums(ctx context.Context, room biz.RoomID, after int64) (last, bytes int64, err error) {
	err = r.scanning(ctx)(selectSums, []any{string(room), after}, &last, &bytes)
	return last, bytes, err
}

// bytesBetween counts those of the messages above after up to upTo, which are to be few.
func (r *reader) bytesBetween(ctx context.Context, room biz.RoomID, after, upTo int64) (bytes int64, err error) {
	if after >= upTo {
		return 0, nil
	}
	err = r.scanning(ctx)(selectBytes, []any{string(room), after, upTo}, &bytes)
	return bytes, err
}

// eachBytes calls with the bytes of one message after another, above after up to upTo, until that returns errEnough.
func (r *reader) eachBytes(ctx context.Context, room biz.RoomID, after, upTo int64, call func(seq, bytes int64) error) error {
	return r.each(ctx, selectEach, []any{string(room), after, upTo}, pairs(call))
}

// sumPage calls with what is noted above after, in order, up to limit times.
func (r *reader) sumPage(ctx context.Context, room biz.RoomID, after int64, limit int, call func(seq, bytes int64) error) error {
	return r.each(ctx, selectSumPage, []any{string(room), after, limit}, pairs(call))
}

func pairs(call func(a, b int64) error) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var a, b int64
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		return call(a, b)
	}
}

// outdated returns what was counted before some time, above after, in order, up to limit.
func (r *reader) outdated(ctx context.Context, room biz.RoomID, after int64, before time.Time, limit int) (seqs []int64, err error) {
	err = r.each(ctx, selectOutdated, []any{string(room), after, before.UnixMicro(), limit}, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	})
	return seqs, err
}

// noteSums notes what was counted at some time. What is noted already gives way.
func noteSums(t *tx, sums []messageSum, at time.Time) error {
	rows := make([][]any, len(sums))
	for i, s := range sums {
		rows[i] = []any{string(s.room), s.seq, s.bytes, at.UnixMicro()}
	}
	if into := t.dialect.bulk; into != nil {
		return into.insert(t, sumTable.where(t.dialect.renewSum), rows)
	}
	for _, row := range rows {
		if _, err := t.exec(insertSum+t.dialect.renewSum, row...); err != nil {
			return err
		}
	}
	return nil
}
