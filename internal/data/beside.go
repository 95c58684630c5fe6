package data

import (
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// A message that mentions somebody, expires or refers to a recording has rows beside it, in tables of their own; most
// have none.

const (
	mentionColumns = `user_id, room_id, seq, sender`
	expiryColumns  = `room_id, seq, expires_at`
)

var (
	insertMention = insertInto("mentions", mentionColumns)
	insertExpiry  = insertInto("expiries", expiryColumns)

	mentionTable = newBulkTable("mentions", bulkColumn{"user_id", "text"}, bulkColumn{"room_id", "text"}, bulkColumn{"seq", "bigint"}, bulkColumn{"sender", "text"})
	expiryTable  = newBulkTable("expiries", bulkColumn{"room_id", "text"}, bulkColumn{"seq", "bigint"}, bulkColumn{"expires_at", "bigint"})
)

// beside is what messages have beside them.
type beside struct {
	extras   bool // some message has them
	mentions [][]any
	expiries [][]any
	refs     references
}

// add notes what a message of an entry has. An event mentions nobody anew and refers to nothing.
func (b *beside) add(e *entry, m *biz.Message) {
	if e.draft.Act != nil {
		return
	}
	for _, u := range m.Mentions {
		b.mentions = append(b.mentions, []any{string(u), string(m.Room), m.Seq, string(m.Sender)})
	}
	if !m.ExpiresAt.IsZero() {
		b.expiries = append(b.expiries, []any{string(m.Room), m.Seq, m.ExpiresAt.UnixMicro()})
	}
	b.refs.add(m, e.refs, m.Time)
}

// flush writes it in bulk.
func (b *beside) flush(t *tx) error {
	for _, part := range []struct {
		table bulkTable
		rows  [][]any
	}{{mentionTable, b.mentions}, {expiryTable, b.expiries}} {
		if len(part.rows) == 0 {
			continue
		}
		if err := t.dialect.bulk.insert(t, part.table, part.rows); err != nil {
			return err
		}
	}
	err := b.refs.write(t)
	*b = beside{}
	return err
}

// write writes it row by row.
func (b *beside) write(t *tx) error {
	for _, part := range []struct {
		statement string
		rows      [][]any
	}{{insertMention, b.mentions}, {insertExpiry, b.expiries}} {
		for _, row := range part.rows {
			if _, err := t.exec(part.statement, row...); err != nil {
				return err
			}
		}
	}
	return b.refs.write(t)
}

// storeMessage writes a message of an entry, and what it has beside it.
func storeMessage(t *tx, e *entry, m *biz.Message, metadata []byte) error {
	row := toMessageRow(m, metadata, e.extras(m))
	if err := insertMessage(t, &row); err != nil {
		return err
	}
	var b beside
	b.add(e, m)
	return b.write(t)
}

// addMessage is storeMessage for a batch that is written in bulk.
func (b *bulkBatch) addMessage(e *entry, m *biz.Message, metadata []byte) {
	row := toMessageRow(m, metadata, e.extras(m))
	b.messages = append(b.messages, row.values())
	b.beside.extras = b.beside.extras || row.Extras != nil
	b.beside.add(e, m)
}

// extras are those of a message of the entry.
func (e *entry) extras(m *biz.Message) []byte {
	if e.deed == nil {
		return encodeExtras(m)
	}
	return encodeEventExtras(m, e.deed.then)
}

// complete fills in what only the place of a message tells, or refuses it, in a room whose head is this.
func (e *entry) complete(m *biz.Message, head int64) error {
	m.ExpiresAt = e.expiresAt(m.Time)
	return e.draft.Answers(head)
}

func (e *entry) expiresAt(at time.Time) time.Time {
	if e.draft.ExpiresIn == 0 {
		return time.Time{}
	}
	return at.Add(e.draft.ExpiresIn)
}
