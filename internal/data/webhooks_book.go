package data

import (
	"context"
	"database/sql"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

const (
	selectWebhooks = `SELECT name, owner, until, since, "lag", delivered_at, failed_at, last_error,
		(SELECT coalesce(sum(to_seq - from_seq + 1), 0) FROM webhook_dead d WHERE d.webhook = w.name) FROM webhooks w ORDER BY name`

	selectDead = `SELECT ` + webhookDeadColumns + ` FROM webhook_dead WHERE webhook = ?
		AND (room_id > ? OR room_id = ? AND from_seq > ?) ORDER BY room_id, from_seq LIMIT ?`

	countReplay = `UPDATE webhooks SET replays = replays + 1 WHERE name = ?`
	rewindMark  = `UPDATE webhook_marks SET seq = ? WHERE webhook = ? AND room_id = ? AND seq > ?`
)

// List implements biz.WebhookBook.
func (w *Webhooks) List(ctx context.Context) (all []biz.WebhookInfo, err error) {
	err = w.db.reader.each(ctx, selectWebhooks, nil, func(rows *sql.Rows) error {
		var i biz.WebhookInfo
		var until, since, delivered, failed int64
		err := rows.Scan(&i.Name, &i.Owner, &until, &since, &i.Lag, &delivered, &failed, &i.Error, &i.Dead)
		i.Until, i.Since, i.Delivered, i.Failed = fromMicros(until), fromMicros(since), fromMicros(delivered), fromMicros(failed)
		all = append(all, i)
		return err
	})
	return all, storeError(err)
}

// Dead implements biz.WebhookBook.
func (w *Webhooks) Dead(ctx context.Context, webhook string, after biz.WebhookDead, limit int) ([]biz.WebhookDead, error) {
	return w.dead(ctx, selectDead, webhook, string(after.Room), string(after.Room), after.From, limit)
}

// change is what an operator wants of a webhook that there is.
func (w *Webhooks) change(ctx context.Context, webhook string, run func(*tx) error) error {
	return w.db.indexing.do(ctx, func(t *tx) error {
		n, err := t.exec(countReplay, webhook)
		if err != nil {
			return err
		}
		if n == 0 {
			return biz.ErrNoWebhook(webhook)
		}
		return run(t)
	}, func() {})
}

// since reads where a webhook begins in rooms that it has no mark of.
func (w *Webhooks) since(ctx context.Context, webhook string) (time.Time, error) {
	var since int64
	err := w.db.reader.scanning(ctx)(`SELECT since FROM webhooks WHERE name = ?`, []any{webhook}, &since)
	if isNoRow(err) {
		return time.Time{}, biz.ErrNoWebhook(webhook)
	}
	return fromMicros(since), storeError(err)
}

// Rewind implements biz.WebhookBook. A room without a mark gets one, since what is wanted may be from before the
// webhook.
func (w *Webhooks) Rewind(ctx context.Context, webhook string, room biz.RoomID, seq int64) error {
	since, err := w.since(ctx, webhook)
	if err != nil {
		return err
	}
	p, err := w.Place(ctx, biz.WebhookLease{Name: webhook, Since: since}, room)
	switch {
	case err != nil:
		return err
	case p.Head == 0:
		return biz.ErrRoomNotFound(room)
	}
	return w.change(ctx, webhook, func(t *tx) error {
		return rewind(t, webhook, room, min(seq-1, p.Seq))
	})
}

// rewind moves a mark back, or makes one.
func rewind(t *tx, webhook string, room biz.RoomID, to int64) error {
	var at, made, head int64
	if err := t.scan(`SELECT created_at, head_seq FROM rooms WHERE id = ?`, []any{string(room)}, &made, &head); err != nil || to >= head {
		if isNoRow(err) { // it is gone meanwhile
			return nil
		}
		return err
	}
	err := t.locked(`SELECT seq FROM webhook_marks WHERE webhook = ? AND room_id = ?`, []any{webhook, string(room)}, &at)
	switch {
	case isNoRow(err):
		_, err = t.exec(insertWebhookMark+t.dialect.once("webhook"), webhook, string(room), made, to)
	case err == nil:
		_, err = t.exec(rewindMark, to, webhook, string(room), to)
	}
	return err
}

// RewindTo implements biz.WebhookBook. It goes through all rooms, a page in each transaction: it may be done again when
// it fails on the way.
func (w *Webhooks) RewindTo(ctx context.Context, webhook string, at time.Time) (rooms int, err error) {
	since, err := w.since(ctx, webhook)
	if err == nil {
		err = w.change(ctx, webhook, func(*tx) error { return nil })
	}
	if err != nil {
		return 0, err
	}
	for after, more := biz.RoomID(""), true; more; {
		var page []webhookState
		err := w.db.reader.each(ctx, selectUndelivered, []any{webhook, string(after), sweptMarks}, func(rows *sql.Rows) error {
			var s webhookState
			err := rows.Scan(s.fields()...)
			after = s.room
			page = append(page, s)
			return err
		})
		if err != nil {
			return rooms, storeError(err)
		}
		n, err := w.rewindPage(ctx, webhook, at, since, page)
		if err != nil {
			return rooms, err
		}
		rooms, more = rooms+n, len(page) == sweptMarks
	}
	return rooms, nil
}

func (w *Webhooks) rewindPage(ctx context.Context, webhook string, at, since time.Time, page []webhookState) (n int, err error) {
	type place struct {
		room biz.RoomID
		seq  int64
	}
	var back []place
	for i := range page {
		s := &page[i]
		if !s.persistent || s.active < toMicros(at) || s.head <= s.floor {
			continue
		}
		from := at
		if !s.marked() && since.Before(at) { // its turn is still to come
			from = since
		}
		seq, err := w.before(ctx, s, from)
		if err != nil {
			return 0, storeError(err)
		}
		if seq < s.head {
			back = append(back, place{s.room, seq})
		}
	}
	if len(back) == 0 {
		return 0, nil
	}
	err = w.db.indexing.do(ctx, func(t *tx) error {
		for _, p := range back {
			if err := rewind(t, webhook, p.room, p.seq); err != nil {
				return err
			}
		}
		return nil
	}, func() {})
	return len(back), err
}

// Revive implements biz.WebhookBook.
func (w *Webhooks) Revive(ctx context.Context, webhook string, room biz.RoomID) (messages int64, err error) {
	err = w.change(ctx, webhook, func(t *tx) error {
		of, args := "", []any{webhook}
		if room != "" {
			of, args = " AND room_id = ?", []any{webhook, string(room)}
		}
		// A sum is a decimal number to some databases.
		err := t.scan(`SELECT coalesce(sum(to_seq - from_seq + 1), 0) FROM webhook_dead WHERE webhook = ?`+of, args, &messages)
		if err != nil {
			return err
		}
		_, err = t.exec(`UPDATE webhook_dead SET again = 1 WHERE webhook = ?`+of, args...)
		return err
	})
	return messages, err
}
