package data

import (
	"context"
	"database/sql"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Webhooks is a biz.WebhookQueue, a biz.WebhookGraveyard and a biz.WebhookBook. What it writes goes with whatever else
// waits to be written, and on servers over the connection of the index, out of the way of senders.
type Webhooks struct{ db *DB }

// NewWebhooks returns the webhooks in db.
func NewWebhooks(db *DB) *Webhooks { return &Webhooks{db: db} }

// OnStored has told called with the room after each commit of this node's that has stored something there, on a
// goroutine that writes: told must not block, and must not use the store. It is called once, before anything is stored.
func (db *DB) OnStored(told func(biz.RoomID)) { db.stored = told }

const (
	webhookLeaseColumns = `owner, term, until, since`
	selectLease         = `SELECT ` + webhookLeaseColumns + ` FROM webhooks WHERE name = ?`
	webhookColumns      = `name, since, replays, owner, term, until, "lag", delivered_at, failed_at, last_error`
	updateLease         = `UPDATE webhooks SET owner = ?, term = ?, until = ?, "lag" = ?, delivered_at = ?, failed_at = ?, last_error = ? WHERE name = ?`
)

var insertWebhook = insertInto("webhooks", webhookColumns)

// Hold implements biz.WebhookQueue.
func (w *Webhooks) Hold(ctx context.Context, h biz.WebhookHold) (l biz.WebhookLease, held bool, err error) {
	err = w.db.indexing.do(ctx, func(t *tx) error {
		l, held, err = w.hold(t, h)
		return err
	}, func() {})
	return l, held && err == nil, err
}

func (w *Webhooks) hold(t *tx, h biz.WebhookHold) (l biz.WebhookLease, held bool, err error) {
	_, err = t.exec(insertWebhook+t.dialect.once("name"), h.Name, toMicros(h.Now), 0, "", 0, 0, 0, 0, 0, "")
	if err != nil {
		return l, false, err
	}
	l.Name = h.Name
	var until, since int64
	if err := t.locked(selectLease, []any{h.Name}, &l.Owner, &l.Term, &until, &since); err != nil {
		return l, false, err
	}
	l.Since = fromMicros(since)
	if l.Owner != h.Owner {
		if w.db.shared && until > toMicros(h.Now) {
			return l, false, nil
		}
		l.Owner, l.Term = h.Owner, l.Term+1
	}
	_, err = t.exec(updateLease, l.Owner, l.Term, toMicros(h.Until), h.Lag, toMicros(h.Delivered), toMicros(h.Failed), h.Error, h.Name)
	return l, true, err
}

// webhookState is where a room and its delivery stand.
type webhookState struct {
	room                      biz.RoomID
	persistent                bool
	made, head, floor, active int64
	markMade, seq             sql.NullInt64
}

const webhookStateColumns = `r.id, r.persistent, r.created_at, r.head_seq, r.floor_seq, r.last_active, m.created_at, m.seq`

var (
	selectUndelivered = `SELECT ` + webhookStateColumns + ` FROM rooms r LEFT JOIN webhook_marks m ON m.webhook = ? AND m.room_id = r.id
		WHERE r.id > ? ORDER BY r.id LIMIT ?`
	selectWebhookPlace = `SELECT ` + webhookStateColumns + `, coalesce((SELECT replays FROM webhooks WHERE name = ?), 0) FROM rooms r LEFT JOIN webhook_marks m ON m.webhook = ? AND m.room_id = r.id
		WHERE r.id = ?`
)

func (s *webhookState) fields() []any {
	return []any{&s.room, &s.persistent, &s.made, &s.head, &s.floor, &s.active, &s.markMade, &s.seq}
}

// marked tells whether the mark is of this room, and not of an earlier one with the same id.
func (s *webhookState) marked() bool {
	return s.seq.Valid && s.markMade.Int64 == s.made && s.seq.Int64 <= s.head
}

// lag is how many messages there are to deliver, as far as that is known without looking for where to begin.
func (s *webhookState) lag(since int64) int64 {
	switch {
	case !s.persistent || s.head <= s.floor:
		return 0
	case s.marked():
		return s.head - max(s.seq.Int64, s.floor)
	case s.active < since:
		return 0
	}
	return 1
}

// Behind implements biz.WebhookQueue.
func (w *Webhooks) Behind(ctx context.Context, l biz.WebhookLease, after biz.RoomID) (b biz.WebhookBehind, err error) {
	since, n := toMicros(l.Since), 0
	err = w.db.reader.each(ctx, selectUndelivered, []any{l.Name, string(after), sweptMarks}, func(rows *sql.Rows) error {
		var s webhookState
		if err := rows.Scan(s.fields()...); err != nil {
			return err
		}
		n++
		b.Next = s.room
		if lag := s.lag(since); lag > 0 {
			b.Rooms = append(b.Rooms, biz.WebhookLag{Room: s.room, Messages: lag})
		}
		return nil
	})
	if n < sweptMarks {
		b.Next = ""
	}
	return b, storeError(err)
}

// Place implements biz.WebhookQueue.
func (w *Webhooks) Place(ctx context.Context, l biz.WebhookLease, room biz.RoomID) (biz.WebhookPlace, error) {
	p := biz.WebhookPlace{Room: room}
	var s webhookState
	err := w.db.reader.scanning(ctx)(selectWebhookPlace, []any{l.Name, l.Name, string(room)}, append(s.fields(), &p.Replays)...)
	if isNoRow(err) {
		return p, nil
	}
	if err != nil {
		return p, storeError(err)
	}
	p.Made = fromMicros(s.made)
	if s.seq.Valid {
		p.Mark = &biz.WebhookMark{Made: fromMicros(s.markMade.Int64), Seq: s.seq.Int64}
	}
	if !s.persistent {
		return p, nil
	}
	p.Head, p.Seq = s.head, s.seq.Int64
	if !s.marked() {
		p.Seq, err = w.before(ctx, &s, l.Since)
	}
	return p, storeError(err)
}

const selectTimeAt = `SELECT created_at FROM messages WHERE room_id = ? AND seq <= ? AND seq > ? ORDER BY seq DESC LIMIT 1`

// before returns the place of the last message of a room from before a time. Times rise with places, as far as the
// clocks of nodes agree.
func (w *Webhooks) before(ctx context.Context, s *webhookState, since time.Time) (int64, error) {
	read := w.db.reader.scanning(ctx)
	low, high := s.floor, s.head
	for low < high {
		middle := low + (high-low+1)/2
		var at int64
		err := read(selectTimeAt, []any{string(s.room), middle, s.floor}, &at)
		if err != nil && !isNoRow(err) {
			return 0, err
		}
		if err != nil || at < toMicros(since) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low, nil
}
