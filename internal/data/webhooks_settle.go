package data

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

const (
	webhookMarkColumns = `webhook, room_id, created_at, seq`
	selectTerm         = `SELECT term FROM webhooks WHERE name = ?`
	// moveWebhookMark raises a mark from where it was read, so that who moved it meanwhile is not overruled.
	moveWebhookMark = `UPDATE webhook_marks SET created_at = ?, seq = ? WHERE webhook = ? AND room_id = ? AND created_at = ? AND seq = ?`

	webhookDeadColumns = `webhook, room_id, from_seq, to_seq, died_at, again, reason`
	deleteDead         = `DELETE FROM webhook_dead WHERE webhook = ? AND room_id = ? AND from_seq = ?`
)

var (
	insertWebhookMark = insertInto("webhook_marks", webhookMarkColumns)
	insertDead        = insertInto("webhook_dead", webhookDeadColumns)
)

// Settle implements biz.WebhookQueue. Marks are written in the order of rooms, so that nobody waits in a circle.
func (w *Webhooks) Settle(ctx context.Context, l biz.WebhookLease, moves []biz.WebhookMove) (lost []biz.RoomID, err error) {
	slices.SortFunc(moves, func(a, b biz.WebhookMove) int { return cmp.Compare(a.From.Room, b.From.Room) })
	err = w.db.indexing.do(ctx, func(t *tx) error {
		lost = lost[:0]
		var term int64
		if err := t.locked(selectTerm, []any{l.Name}, &term); err != nil && !isNoRow(err) {
			return err
		}
		if term != l.Term {
			return biz.ErrWebhookLost
		}
		for i := range moves {
			overtaken, err := settle(t, l.Name, &moves[i])
			if err != nil {
				return err
			}
			if overtaken {
				lost = append(lost, moves[i].From.Room)
			}
		}
		return nil
	}, func() {})
	if err != nil {
		return nil, err
	}
	return lost, nil
}

func settle(t *tx, webhook string, m *biz.WebhookMove) (overtaken bool, err error) {
	room, made := string(m.From.Room), toMicros(m.From.Made)
	if mark := m.From.Mark; mark != nil {
		if mark.Seq == m.To && mark.Made.Equal(m.From.Made) { // databases differ in what they count as a change
			return false, nil
		}
		overtaken, err = insertedNot(t.exec(moveWebhookMark, made, m.To, webhook, room, toMicros(mark.Made), mark.Seq))
	} else {
		overtaken, err = insertedNot(t.exec(insertWebhookMark+t.dialect.once("webhook"), webhook, room, made, m.To))
	}
	if overtaken || err != nil {
		return overtaken, err
	}
	for i := range m.Dead {
		if err := bury(t, webhook, &m.Dead[i]); err != nil {
			return false, err
		}
	}
	return false, nil
}

// bury takes the place of what died there before.
func bury(t *tx, webhook string, d *biz.WebhookDead) error {
	if _, err := t.exec(deleteDead, webhook, string(d.Room), d.From); err != nil {
		return err
	}
	_, err := t.exec(insertDead, webhook, string(d.Room), d.From, d.To, toMicros(d.Died), 0, d.Reason)
	return err
}

const selectWantedDead = `SELECT ` + webhookDeadColumns + ` FROM webhook_dead WHERE webhook = ? AND again = 1 ORDER BY room_id, from_seq LIMIT ?`

// Wanted implements biz.WebhookGraveyard.
func (w *Webhooks) Wanted(ctx context.Context, webhook string, limit int) ([]biz.WebhookDead, error) {
	return w.dead(ctx, selectWantedDead, webhook, limit)
}

func (w *Webhooks) dead(ctx context.Context, query string, args ...any) (dead []biz.WebhookDead, err error) {
	err = w.db.reader.each(ctx, query, args, func(rows *sql.Rows) error {
		var d biz.WebhookDead
		var died, again int64
		err := rows.Scan(&d.Webhook, &d.Room, &d.From, &d.To, &died, &again, &d.Reason)
		d.Died, d.Again = fromMicros(died), again != 0
		dead = append(dead, d)
		return err
	})
	return dead, storeError(err)
}

// Buried implements biz.WebhookGraveyard.
func (w *Webhooks) Buried(ctx context.Context, d biz.WebhookDead, delivered bool) error {
	const stays = `UPDATE webhook_dead SET again = 0, died_at = ?, reason = ? WHERE webhook = ? AND room_id = ? AND from_seq = ?`
	return w.db.indexing.do(ctx, func(t *tx) (err error) {
		if delivered {
			_, err = t.exec(deleteDead, d.Webhook, string(d.Room), d.From)
		} else {
			_, err = t.exec(stays, toMicros(d.Died), d.Reason, d.Webhook, string(d.Room), d.From)
		}
		return err
	}, func() {})
}

// Forget implements biz.WebhookGraveyard.
func (w *Webhooks) Forget(ctx context.Context, webhook string, before time.Time) error {
	const statement = `DELETE FROM webhook_dead WHERE webhook = ? AND died_at < ?`
	return w.db.indexing.do(ctx, func(t *tx) error {
		_, err := t.exec(statement, webhook, toMicros(before))
		return err
	}, func() {})
}
