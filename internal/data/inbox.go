package data

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Inbox is a biz.Inbox. Acknowledgements gather in memory until Run writes them; what they cover
// is not seen any more from the call on.
type Inbox struct {
	db     *DB
	logger *slog.Logger
	acks   *coalescer[biz.UserID, struct{}]
}

// NewInbox returns the inboxes in db.
func NewInbox(db *DB, logger *slog.Logger) *Inbox {
	return &Inbox{db: db, logger: logger, acks: newCoalescer[biz.UserID, struct{}]()}
}

// The last seq is kept apart from the inbox, which forgets: no seq is given out twice.
const (
	insertInboxHead = `INSERT INTO inbox_heads (user_id, last_seq) VALUES (?, 0)`
	raiseInboxHead  = `UPDATE inbox_heads SET last_seq = last_seq + 1 WHERE user_id = ?`
	selectInboxHead = `SELECT last_seq FROM inbox_heads WHERE user_id = ?`
)

// nextInboxSeq keeps other nodes from the user's inbox until the transaction is over.
func nextInboxSeq(t *tx, user biz.UserID) (seq int64, err error) {
	n, err := t.exec(raiseInboxHead, string(user))
	if err != nil {
		return 0, err
	}
	if n == 0 {
		if _, err := t.exec(insertInboxHead+t.dialect.once("user_id"), string(user)); err != nil {
			return 0, err
		}
		if _, err := t.exec(raiseInboxHead, string(user)); err != nil {
			return 0, err
		}
	}
	err = t.scan(selectInboxHead, []any{string(user)}, &seq)
	return seq, err
}

const countPushes = `SELECT count(*) FROM inbox WHERE ` + livingPushes

var insertPushSQL = insertInto("inbox", pushColumns)

func insertPush(t *tx, r *pushRow) error {
	_, err := t.exec(insertPushSQL, r.UserID, r.Seq, r.ID, r.MsgType, r.Title, r.Content, r.Data, nullable(r.Metadata), r.CreatedAt, r.ExpiresAt)
	return err
}

const selectKeptPush = `SELECT seq FROM inbox WHERE user_id = ? AND id = ?`

// Store keeps p until expires and sets p.InboxSeq once that is committed. It answers
// KindResourceLimit when limit pushes are kept for the user already. A push that is made again and is
// there stays where it is.
func (b *Inbox) Store(ctx context.Context, user biz.UserID, p *biz.Push, expires time.Time, limit int) error {
	kept := *p
	err := b.db.writer.do(ctx, func(t *tx) (err error) {
		if p.Again {
			err := t.scan(selectKeptPush, []any{string(user), p.ID}, &kept.InboxSeq)
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		var n int64
		if err := t.scan(countPushes, b.living(user, 0), &n); err != nil {
			return err
		}
		if n >= int64(limit) {
			return biz.Errorf(biz.KindResourceLimit, "INBOX_FULL", "%d pushes are kept for %q; at most %d are allowed", n, user, limit)
		}
		if kept.InboxSeq, err = nextInboxSeq(t, user); err != nil {
			return err
		}
		row, err := toPushRow(user, &kept, expires)
		if err != nil {
			return err
		}
		return insertPush(t, &row)
	}, func() {})
	if err != nil {
		return err
	}
	p.InboxSeq = kept.InboxSeq
	return nil
}

// livingPushes selects, with what living returns, those above after that are not acknowledged and
// not expired.
const livingPushes = `user_id = ? AND seq > ? AND expires_at > ?`

func (b *Inbox) living(user biz.UserID, after int64) []any {
	for _, m := range b.acks.of(user) {
		after = max(after, m.value)
	}
	return []any{string(user), after, time.Now().UnixMicro()}
}

const selectPushes = `SELECT ` + pushColumns + ` FROM inbox WHERE ` + livingPushes + ` ORDER BY seq LIMIT ?`

// Page returns what is kept above after, in order. Limits above 1,000, and those that are not
// positive, count as 1,000.
func (b *Inbox) Page(ctx context.Context, user biz.UserID, after int64, limit int) ([]*biz.Push, error) {
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	var page []*biz.Push
	err := b.db.reader.each(ctx, selectPushes, append(b.living(user, after), limit), func(rows *sql.Rows) error {
		var r pushRow
		if err := rows.Scan(r.fields()...); err != nil {
			return err
		}
		p, err := fromPushRow(r)
		page = append(page, p)
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return page, nil
}

// Ack forgets everything up to seq, and returns at once.
func (b *Inbox) Ack(user biz.UserID, seq int64) {
	b.acks.raise(mark[biz.UserID, struct{}]{group: user, value: seq})
}

// Run writes acknowledgements about twice a second, and the last ones when ctx ends.
func (b *Inbox) Run(ctx context.Context) error { return b.acks.run(ctx, b.Flush) }

const deleteAcked = `DELETE FROM inbox WHERE user_id = ? AND seq <= ?`

// Flush writes all acknowledgements that were made before it was called.
func (b *Inbox) Flush(ctx context.Context) error {
	err := b.acks.flush(func(part []mark[biz.UserID, struct{}]) error {
		return b.db.writer.do(ctx, func(t *tx) error {
			for _, m := range part {
				if _, err := t.exec(deleteAcked, string(m.group), m.value); err != nil {
					return err
				}
			}
			return nil
		}, func() { b.db.metrics.flushed.WithLabelValues("inbox").Add(float64(len(part))) })
	})
	if err != nil {
		b.db.metrics.flushFails.WithLabelValues("inbox").Inc()
		b.logger.WarnContext(ctx, "inbox acknowledgements are not written yet", "error", err)
	}
	return err
}
