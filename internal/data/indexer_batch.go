package data

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"runtime/debug"
	"slices"

	"github.com/game-im/hermod/internal/biz"
)

// indexState is where a room and its index stand.
type indexState struct {
	room        biz.RoomID
	persistent  bool
	made        int64 // when the room was
	head, floor int64
	// What the mark says; invalid: there is none.
	markMade, indexed, cleared sql.NullInt64
}

const indexStateColumns = `r.id, r.persistent, r.created_at, r.head_seq, r.floor_seq, s.created_at, s.indexed_seq, s.cleared_seq`

func (s *indexState) fields() []any {
	return []any{&s.room, &s.persistent, &s.made, &s.head, &s.floor, &s.markMade, &s.indexed, &s.cleared}
}

// other tells whether the mark is of an earlier room with the same id.
func (s *indexState) other() bool {
	return s.indexed.Valid && (s.markMade.Int64 != s.made || s.indexed.Int64 > s.head)
}

// behind tells whether the index has something to learn of the room.
func (s *indexState) behind(clears bool) bool {
	switch {
	case s.other():
		return true
	case !s.persistent:
		return false
	}
	return s.head > max(s.indexed.Int64, s.floor) || clears && s.indexed.Valid && s.floor > s.cleared.Int64
}

// indexBatch is one transaction of the index: parts of some rooms.
type indexBatch struct {
	db     *DB
	reader biz.MessageReader
	left   int // messages that there is room for
	bytes  int
	parts  []*indexPart

	indexed, removed int64
}

// mostParts bounds how many marks a transaction locks.
const mostParts = 64

func (b *indexBatch) full() bool {
	return b.left <= 0 || b.bytes > mostDocBytes || len(b.parts) >= mostParts
}

// mostDocBytes bounds the contents of a batch, apart from the first message.
const mostDocBytes = 1 << 20

// indexPart is what the index learns of one room.
type indexPart struct {
	indexState
	forget bool // all that there is of the room
	to     int64
	put    []searchDoc
	drop   []searchDoc
	count  int64
	limit  int // of what is cleared

	lost, again bool // as run left it
}

var selectIndexState = `SELECT ` + indexStateColumns + ` FROM rooms r LEFT JOIN search_marks s ON s.room_id = r.id WHERE r.id = ?`

// add adds what there is to do in a room, and tells whether that is not all.
func (b *indexBatch) add(ctx context.Context, room biz.RoomID) (more bool, err error) {
	p := &indexPart{limit: b.left}
	if err := b.state(ctx, p, room); err != nil {
		return false, storeError(err)
	}
	switch {
	case p.other():
		p.forget = true
	case !p.behind(b.db.dialect.search.clears()):
		return false, nil
	default:
		if err := b.read(ctx, p); err != nil {
			return false, storeError(err)
		}
	}
	b.parts = append(b.parts, p)
	return !p.forget && p.to < p.head, nil
}

const selectMark = `SELECT created_at, indexed_seq, cleared_seq FROM search_marks WHERE room_id = ?`

// state reads where a room and its index stand. A room that there is not was made at no time, and is another one
// than whatever the mark is of.
func (b *indexBatch) state(ctx context.Context, p *indexPart, room biz.RoomID) error {
	read := b.db.reader.scanning(ctx)
	err := read(selectIndexState, []any{string(room)}, p.fields()...)
	if !isNoRow(err) {
		return err
	}
	p.indexState = indexState{room: room}
	if err = read(selectMark, []any{string(room)}, &p.markMade, &p.indexed, &p.cleared); isNoRow(err) {
		return nil
	}
	return err
}

// read reads the room's log above its mark. What an event tells of a change of is read as it is now.
func (b *indexBatch) read(ctx context.Context, p *indexPart) error {
	from := max(p.indexed.Int64, p.floor)
	p.to = from
	changed := make(map[int64]bool)
	err := b.db.reader.each(ctx, selectPage, []any{string(p.room), from, b.left}, func(rows *sql.Rows) error {
		m, err := scanMessage(rows)
		if err != nil {
			return err
		}
		if b.bytes += len(m.Content); b.bytes > mostDocBytes && p.count > 0 {
			return errEnough
		}
		p.to, p.count = m.Seq, p.count+1
		if seq := b.reader.Changed(m); seq > 0 && seq <= from {
			changed[seq] = true
		}
		if doc := b.docOf(m); doc.terms != nil {
			p.put = append(p.put, doc)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.count == 0 && p.head > from { // all of it was deleted since the head was read
		p.to = p.head
	}
	b.left -= int(p.count) + len(changed)
	for seq := range changed {
		if err := b.readAgain(ctx, p, seq); err != nil {
			return err
		}
	}
	return nil
}

func scanMessage(rows *sql.Rows) (*biz.Message, error) {
	var row messageRow
	if err := rows.Scan(row.fields()...); err != nil {
		return nil, err
	}
	return fromMessageRow(&row)
}

// readAgain reads a message that is in the index already.
func (b *indexBatch) readAgain(ctx context.Context, p *indexPart, seq int64) error {
	doc := searchDoc{room: p.room, seq: seq}
	err := b.db.reader.each(ctx, selectSpan, []any{string(p.room), seq - 1, seq}, func(rows *sql.Rows) error {
		m, err := scanMessage(rows)
		if err == nil {
			doc = b.docOf(m)
		}
		return err
	})
	if doc.terms != nil {
		p.put = append(p.put, doc)
	} else {
		p.drop = append(p.drop, doc)
	}
	return err
}

func (b *indexBatch) docOf(m *biz.Message) searchDoc {
	return searchDoc{room: m.Room, seq: m.Seq, created: m.Time, terms: biz.SearchTerms(m.Room, m.Sender, b.textOf(m))}
}

// textOf finds nothing in a content that its reader cannot stand: it would end the node each time that the index
// comes to it.
func (b *indexBatch) textOf(m *biz.Message) (text string) {
	defer func() {
		if p := recover(); p != nil {
			b.db.logger.Error("panic in the reading of a message for the index", "room", m.Room, "seq", m.Seq, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return b.reader.Text(m)
}

// putBack has the rooms of the batch indexed later.
func (b *indexBatch) putBack(wanted *wantedRooms) {
	for _, p := range b.parts {
		wanted.add(p.room)
	}
}

// run writes the batch. It may run again. Marks are raised in the order of ids, so that nodes wait for each other
// and never in a circle.
func (b *indexBatch) run(t *tx) error {
	b.indexed, b.removed = 0, 0
	slices.SortFunc(b.parts, func(x, y *indexPart) int { return cmp.Compare(x.room, y.room) })
	var put, drop []searchDoc
	for _, p := range b.parts {
		if err := b.runPart(t, p); err != nil {
			return err
		}
		if p.lost {
			continue
		}
		put, drop = append(put, p.put...), append(drop, p.drop...)
		b.indexed += p.count
	}
	b.removed += int64(len(drop))
	if err := t.dialect.search.drop(t, drop); err != nil {
		return err
	}
	return t.dialect.search.put(t, put)
}

// runPart brings a room's mark up to date, and takes out of the index what is gone. Whoever does not find the mark
// as he read it has lost the work to another node.
func (b *indexBatch) runPart(t *tx, p *indexPart) (err error) {
	p.lost, p.again = false, false
	if p.forget {
		return b.forget(t, p)
	}
	cleared := p.cleared.Int64
	if t.dialect.search.clears() && p.indexed.Valid && p.floor > cleared {
		n, err := b.clear(t, p, p.floor)
		if err != nil {
			return err
		}
		if n < int64(p.limit) {
			cleared = p.floor
		}
		p.again = n == int64(p.limit)
	}
	if !p.indexed.Valid {
		p.lost, err = insertedNot(t.exec(insertInto("search_marks", `room_id, created_at, indexed_seq, cleared_seq`)+t.dialect.once("room_id"),
			string(p.room), p.made, p.to, 0)) // what a lost mark left behind is cleared as well
		return err
	}
	if p.to == p.indexed.Int64 && cleared == p.cleared.Int64 {
		return nil
	}
	const raise = `UPDATE search_marks SET indexed_seq = ?, cleared_seq = ? WHERE room_id = ? AND created_at = ? AND indexed_seq = ? AND cleared_seq = ?`
	p.lost, err = insertedNot(t.exec(raise, p.to, cleared, string(p.room), p.made, p.indexed.Int64, p.cleared.Int64))
	return err
}

// forget takes a room that is gone out of the index, and its mark when nothing else is left. A new room of that
// name comes after it.
func (b *indexBatch) forget(t *tx, p *indexPart) error {
	var now indexState
	err := t.locked(selectMark, []any{string(p.room)}, &now.markMade, &now.indexed, &now.cleared)
	if err != nil && !isNoRow(err) {
		return err
	}
	if now.markMade != p.markMade || now.indexed != p.indexed || now.cleared != p.cleared {
		p.lost = true
		return nil
	}
	n, err := b.clear(t, p, math.MaxInt64)
	if err != nil {
		return err
	}
	if p.again = n == int64(p.limit); p.again {
		return nil
	}
	p.again = p.made != 0
	_, err = t.exec(`DELETE FROM search_marks WHERE room_id = ?`, string(p.room))
	return err
}

func (b *indexBatch) clear(t *tx, p *indexPart, upTo int64) (int64, error) {
	n, err := t.dialect.search.clear(t, p.room, upTo, p.limit)
	b.removed += n
	return n, err
}
