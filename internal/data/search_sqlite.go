package data

import (
	"database/sql"
	"math"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// fts5 is the index of SQLite. It knows messages by their "no", whose order is that of the commits: to find the
// newest ones it reads from the end, and stops.
type fts5 struct{}

const (
	selectNo = `SELECT no FROM messages WHERE room_id = ? AND seq = ?`
	// putSearched inserts one row that it is given. With a query in it the statement would be one that may have to
	// be undone by itself, and before each of those the index writes out what it has gathered in memory.
	putSearched = `INSERT OR REPLACE INTO search (rowid, terms) VALUES (?, ?)`
)

func (fts5) put(t *tx, docs []searchDoc) error {
	for i := range docs {
		d := &docs[i]
		var no int64
		err := t.scan(selectNo, []any{string(d.room), d.seq}, &no)
		if isNoRow(err) { // it has gone meanwhile
			continue
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(putSearched, no, d.text()); err != nil {
			return err
		}
	}
	return nil
}

func (fts5) drop(t *tx, docs []searchDoc) error {
	const statement = `DELETE FROM search WHERE rowid = (SELECT no FROM messages WHERE room_id = ? AND seq = ?)`
	for i := range docs {
		if _, err := t.exec(statement, string(docs[i].room), docs[i].seq); err != nil {
			return err
		}
	}
	return nil
}

// clear has nothing to do: a trigger does it when messages are deleted.
func (fts5) clear(*tx, biz.RoomID, int64, int) (int64, error) { return 0, nil }

func (fts5) clears() bool { return false }

// A message that is no longer there, and one that the user may not see, are looked at as well, so that what
// one query costs has a bound.
const lookUpSearched = `SELECT s.no, m.room_id, m.seq, m.created_at, m.seq > max(mem.join_seq, r.floor_seq)
	FROM (SELECT rowid AS no FROM search WHERE search MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?) s
	LEFT JOIN messages m ON m.no = s.no
	LEFT JOIN members mem ON mem.room_id = m.room_id AND mem.user_id = ?
	LEFT JOIN rooms r ON r.id = m.room_id
	ORDER BY s.no DESC`

func (f fts5) lookUp(r searchReading, l biz.LookUp) (found biz.Found, err error) {
	below, err := f.beginning(r, l)
	if err != nil {
		return biz.Found{}, err
	}
	looked, last, over := 0, int64(0), false
	args := []any{matchOf(l, " AND ", " OR ", ""), below, l.Limit, string(l.User)}
	err = r.each(lookUpSearched, args, func(rows *sql.Rows) error {
		var room sql.NullString
		var seq, created sql.NullInt64
		var visible sql.NullBool
		if err := rows.Scan(&last, &room, &seq, &created, &visible); err != nil {
			return err
		}
		looked++
		if created.Valid && !l.Since.IsZero() && fromMicros(created.Int64).Before(l.Since.Add(-clockSteps)) {
			over = true
			return errEnough
		}
		if visible.Bool {
			found.Places = append(found.Places, biz.SearchPlace{At: last, Room: biz.RoomID(room.String), Seq: seq.Int64})
		}
		return nil
	})
	if looked == l.Limit && !over {
		found.Next = biz.SearchPlace{At: last}
	}
	return found, err
}

// clockSteps is by how much a clock may have been set back while messages were stored: so much may their times
// differ from their order.
const clockSteps = time.Hour

// beginning is what lies above all that is to be found.
func (f fts5) beginning(r searchReading, l biz.LookUp) (int64, error) {
	switch {
	case l.After.At != 0:
		return l.After.At, nil
	case l.Until.IsZero():
		return math.MaxInt64, nil
	}
	var high int64
	if err := r.scan(`SELECT coalesce(max(no), 0) + 1 FROM messages`, nil, &high); err != nil {
		return 0, err
	}
	until := toMicros(l.Until.Add(clockSteps))
	for low := int64(0); low < high; { // what is below low was said before then, what is not below high after
		var no, created int64
		mid := low + (high-low)/2
		if err := r.scan(`SELECT no, created_at FROM messages WHERE no >= ? ORDER BY no LIMIT 1`, []any{mid}, &no, &created); err != nil {
			if !isNoRow(err) {
				return 0, err
			}
			high = mid
			continue
		}
		if created > until {
			high = mid
		} else {
			low = no + 1
		}
	}
	return high, nil
}
