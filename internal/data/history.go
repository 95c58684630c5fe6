package data

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/game-im/hermod/internal/biz"
)

// History is a biz.HistoryRepo. It asks the database, and no cache of what can change, and so sees what
// other nodes have committed.
type History struct {
	db *DB
}

// NewHistory returns the past that is kept in db.
func NewHistory(db *DB) *History { return &History{db: db} }

const (
	standingColumns = `r.id, r.persistent, r.head_seq, r.floor_seq, m.join_seq, m.read_seq`

	selectStanding = `SELECT ` + standingColumns + `
		FROM rooms r LEFT JOIN members m ON m.room_id = r.id AND m.user_id = ? WHERE r.id = ? AND r.deleted_at = 0`
	selectStandings = `SELECT ` + standingColumns + `
		FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = ? AND m.room_id > ? AND r.deleted_at = 0 ORDER BY m.room_id LIMIT ?`
)

// standingRow is what a standing is read into.
type standingRow struct {
	s            biz.Standing
	room         string
	joined, read sql.NullInt64
}

func (r *standingRow) fields() []any {
	return []any{&r.room, &r.s.Persistent, &r.s.Head, &r.s.Floor, &r.joined, &r.read}
}

func (r *standingRow) standing() biz.Standing {
	r.s.Room, r.s.Member, r.s.Joined, r.s.Read = biz.RoomID(r.room), r.joined.Valid, r.joined.Int64, r.read.Int64
	return r.s
}

// Standing returns where a room stands, and the user in it if he is a member; without such a room it is
// KindNotFound.
func (h *History) Standing(ctx context.Context, room biz.RoomID, user biz.UserID) (biz.Standing, error) {
	var row standingRow
	err := h.db.reader.scanning(ctx)(selectStanding, []any{string(user), string(room)}, row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return biz.Standing{}, biz.ErrRoomNotFound(room)
	}
	return row.standing(), storeError(err)
}

// Standings returns rooms of the user with ids above after, in the order of their bytes.
func (h *History) Standings(ctx context.Context, user biz.UserID, after biz.RoomID, limit int) ([]biz.Standing, error) {
	list := make([]biz.Standing, 0, limit)
	err := h.db.reader.each(ctx, selectStandings, []any{string(user), string(after), limit}, func(rows *sql.Rows) error {
		var row standingRow
		err := rows.Scan(row.fields()...)
		list = append(list, row.standing())
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return list, nil
}

// Messages returns the messages of the spans, one span after another, up to the first that is not there
// and before there would be more than maxBytes, though always one.
func (h *History) Messages(ctx context.Context, spans []biz.Span, maxBytes int) ([]*biz.Message, error) {
	r := spanReading{spans: spans, room: maxBytes}
	for part := range h.db.atOnce(spans) {
		query, args := messagesOf(part)
		err := h.db.reader.each(ctx, query, args, func(rows *sql.Rows) error {
			var row messageRow
			if err := rows.Scan(row.fields()...); err != nil {
				return err
			}
			return r.add(&row)
		})
		if err != nil {
			return nil, storeError(err)
		}
		if r.full || !r.complete(len(part)) {
			break
		}
	}
	h.db.metrics.lookedBack.WithLabelValues("pages").Add(float64(len(r.messages)))
	return r.messages, nil
}

// spanReading puts together what the spans consist of.
type spanReading struct {
	spans    []biz.Span // those that are not begun, and the one that is
	next     int64      // the seq that follows, if the first one is begun
	begun    bool
	parts    int // how many are over
	room     int // bytes
	messages []*biz.Message
	full     bool
}

// add takes the next row. One that is not the next in the log ends the reading.
func (r *spanReading) add(row *messageRow) error {
	if !r.expects(row) {
		return errEnough
	}
	m, err := fromMessageRow(row)
	if err != nil {
		return err
	}
	if r.room -= m.Bytes(); r.room < 0 && len(r.messages) > 0 {
		r.full = true
		return errEnough
	}
	r.messages = append(r.messages, m)
	r.advance()
	return nil
}

func (r *spanReading) expects(row *messageRow) bool {
	if len(r.spans) == 0 {
		return false
	}
	span := r.spans[0]
	if !r.begun {
		r.begun, r.next = true, span.After+1
		if span.Back {
			r.next = span.To
		}
	}
	return row.RoomID == string(span.Room) && row.Seq == r.next
}

func (r *spanReading) advance() {
	span, last := r.spans[0], r.spans[0].To
	step := int64(1)
	if span.Back {
		last, step = span.After+1, -1
	}
	if r.next == last {
		r.spans, r.begun = r.spans[1:], false
		r.parts++
		return
	}
	r.next += step
}

// complete tells whether n more spans are over since it was last asked.
func (r *spanReading) complete(n int) bool {
	r.parts -= n
	return r.parts == 0
}

// spansAtOnce is how many spans a query has for a database that is a server, where each query is a way
// there and back. A file is asked for one after another: that costs nothing, and stops where it is enough.
const spansAtOnce = 16

// atOnce goes through the spans in parts that one query takes.
func (db *DB) atOnce(spans []biz.Span) iter.Seq[[]biz.Span] {
	n := 1
	if db.dialect.remote {
		n = spansAtOnce
	}
	return slices.Chunk(spans, n)
}

const (
	selectSpan     = `SELECT ` + messageColumns + ` FROM messages WHERE room_id = ? AND seq > ? AND seq <= ? ORDER BY seq`
	selectSpanBack = selectSpan + ` DESC`
)

// selectSpans reads several spans, whose order no UNION promises. place is the order within one.
var selectSpans = `SELECT ` + messageColumns + ` FROM (` + unionOf(spansAtOnce, func(i string) string {
	return `SELECT ` + i + ` AS part, ? * seq AS place, ` + messageColumns + `
		FROM messages WHERE room_id = ? AND seq > ? AND seq <= ?`
}) + `) AS parts ORDER BY part, place`

// unionOf joins queries that differ in a number.
func unionOf(n int, query func(i string) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = query(strconv.Itoa(i))
	}
	return strings.Join(parts, " UNION ALL ")
}

// messagesOf is the query for spans, spansAtOnce at most. Where it has places for more of them, those are
// of no length: a statement for each number would be too many to keep.
func messagesOf(spans []biz.Span) (query string, args []any) {
	if len(spans) == 1 {
		query = selectSpan
		if spans[0].Back {
			query = selectSpanBack
		}
		return query, []any{string(spans[0].Room), spans[0].After, spans[0].To}
	}
	for i := range spansAtOnce {
		var s biz.Span
		if i < len(spans) {
			s = spans[i]
		}
		order := int64(1)
		if s.Back {
			order = -1
		}
		args = append(args, order, string(s.Room), s.After, s.To)
	}
	return selectSpans, args
}
