package data

import (
	"database/sql"
	"strings"

	"github.com/game-im/hermod/internal/biz"
)

// searchDocs is an index that is a table of its own, as servers have it. Messages of many rooms have no other
// common order there than their times.
type searchDocs struct {
	match    string // of documents d with what is asked for
	write    func(l biz.LookUp) string
	putDocs  func(t *tx, docs []searchDoc) error
	clearing string // deletes documents of a room up to a seq
}

func (e searchDocs) put(t *tx, docs []searchDoc) error {
	if len(docs) == 0 {
		return nil
	}
	return e.putDocs(t, docs)
}

func (e searchDocs) drop(t *tx, docs []searchDoc) error { return dropDocs(t, docs) }

func (e searchDocs) clear(t *tx, room biz.RoomID, upTo int64, limit int) (int64, error) {
	return t.exec(e.clearing, string(room), upTo, limit)
}

func (e searchDocs) clears() bool { return true }

func (e searchDocs) lookUp(r searchReading, l biz.LookUp) (found biz.Found, err error) {
	var query strings.Builder
	query.WriteString(`SELECT d.created_at, d.room_id, d.seq FROM search_docs d
		JOIN members m ON m.room_id = d.room_id AND m.user_id = ? AND d.seq > m.join_seq
		JOIN rooms r ON r.id = d.room_id AND d.seq > r.floor_seq WHERE ` + e.match)
	args := []any{string(l.User), e.write(l)}
	if !l.Since.IsZero() {
		query.WriteString(` AND d.created_at >= ?`)
		args = append(args, toMicros(l.Since))
	}
	if !l.Until.IsZero() {
		query.WriteString(` AND d.created_at <= ?`)
		args = append(args, toMicros(l.Until))
	}
	if p := l.After; p.At != 0 {
		query.WriteString(` AND d.created_at <= ? AND (d.created_at < ? OR d.room_id > ? OR d.room_id = ? AND d.seq < ?)`)
		args = append(args, p.At, p.At, string(p.Room), string(p.Room), p.Seq)
	}
	query.WriteString(` ORDER BY d.created_at DESC, d.room_id, d.seq DESC LIMIT ?`)
	err = r.each(query.String(), append(args, l.Limit), func(rows *sql.Rows) error {
		var p biz.SearchPlace
		err := rows.Scan(&p.At, &p.Room, &p.Seq)
		found.Places = append(found.Places, p)
		return err
	})
	if n := len(found.Places); n == l.Limit {
		found.Next = found.Places[n-1]
	}
	return found, err
}

var postgresSearch = searchDocs{
	match: `d.terms @@ ?::tsquery`,
	write: func(l biz.LookUp) string { return matchOf(l, " & ", " | ", "") },
	putDocs: func(t *tx, docs []searchDoc) error {
		const statement = `INSERT INTO search_docs (room_id, seq, created_at, terms)
			SELECT room_id, seq, created_at, terms::tsvector
			FROM unnest(?::text[], ?::bigint[], ?::bigint[], ?::text[]) AS new (room_id, seq, created_at, terms)
			ON CONFLICT (room_id, seq) DO UPDATE SET terms = excluded.terms`
		rooms, texts := make([]string, len(docs)), make([]string, len(docs))
		seqs, times := make([]int64, len(docs)), make([]int64, len(docs))
		for i := range docs {
			d := &docs[i]
			rooms[i], seqs[i], times[i], texts[i] = string(d.room), d.seq, toMicros(d.created), d.text()
		}
		_, err := t.exec(statement, rooms, seqs, times, texts)
		return err
	},
	clearing: `DELETE FROM search_docs WHERE (room_id, seq) IN
		(SELECT room_id, seq FROM search_docs WHERE room_id = ? AND seq <= ? ORDER BY seq LIMIT ?)`,
}

var mysqlSearch = searchDocs{
	match: `MATCH (d.terms) AGAINST (? IN BOOLEAN MODE)`,
	write: func(l biz.LookUp) string { return matchOf(l, " ", " ", "+") },
	putDocs: func(t *tx, docs []searchDoc) error {
		// In MySQL 9.7 what an insertion has put into the index is forgotten when it comes to a row that is there
		// already, also with ON DUPLICATE KEY UPDATE and as REPLACE. So none is there.
		if err := dropDocs(t, docs); err != nil {
			return err
		}
		args := make([]any, 0, 4*len(docs))
		for i := range docs {
			d := &docs[i]
			args = append(args, string(d.room), d.seq, toMicros(d.created), d.text())
		}
		return t.execOnce("INSERT INTO search_docs (room_id, seq, created_at, terms) VALUES "+tuples(4, len(docs)), args...)
	},
	clearing: `DELETE FROM search_docs WHERE room_id = ? AND seq <= ? ORDER BY seq LIMIT ?`,
}

// dropDocs takes one statement for documents of a room that stand side by side.
func dropDocs(t *tx, docs []searchDoc) error {
	for first := 0; first < len(docs); {
		room, args := docs[first].room, []any{string(docs[first].room)}
		next := first
		for ; next < len(docs) && docs[next].room == room; next++ {
			args = append(args, docs[next].seq)
		}
		if err := t.execOnce(`DELETE FROM search_docs WHERE room_id = ? AND seq IN (`+places(next-first)+`)`, args...); err != nil {
			return err
		}
		first = next
	}
	return nil
}
