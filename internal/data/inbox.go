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
	missed *coalescer[biz.UserID, int64]    // by seq
	begun  *coalescer[biz.UserID, struct{}] // when an inbox was last read from its beginning: microseconds
}

// NewInbox returns the inboxes in db.
func NewInbox(db *DB, logger *slog.Logger) *Inbox {
	return &Inbox{
		db: db, logger: logger, acks: newCoalescer[biz.UserID, struct{}](),
		missed: newCoalescer[biz.UserID, int64](), begun: newCoalescer[biz.UserID, struct{}](),
	}
}

var insertPushSQL = insertInto("inbox", pushColumns)

func insertPush(t *tx, r *pushRow) error {
	_, err := t.exec(insertPushSQL, r.UserID, r.Seq, r.ID, r.MsgType, r.Title, r.Content, r.Data, nullable(r.Metadata), r.CreatedAt, r.ExpiresAt, r.Size)
	return err
}

const selectKeptPush = `SELECT seq FROM inbox WHERE user_id = ? AND id = ?`

// Store keeps p until expires and sets p.InboxSeq once that is committed. It answers
// KindResourceLimit when there is no room for it. A push that is made again and is there stays where
// it is.
func (b *Inbox) Store(ctx context.Context, user biz.UserID, p *biz.Push, expires time.Time, limits biz.InboxLimits) error {
	kept := *p
	dropped := 0
	err := b.db.writer.doFor(ctx, lockInbox(user), func(t *tx) (err error) {
		dropped = 0 // the transaction may be tried again
		row, err := toPushRow(user, &kept, expires)
		if err != nil {
			return err
		}
		// The place first: it keeps other nodes out while there is looked for room.
		head, err := nextInHead(t, user, row.Size)
		if err != nil {
			return err
		}
		if p.Again {
			err := t.scan(selectKeptPush, []any{string(user), p.ID}, &kept.InboxSeq)
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if dropped, err = b.makeRoom(t, user, row.Size, head.inboxUse, limits); err != nil {
			return err
		}
		row.Seq, kept.InboxSeq = head.last, head.last
		return insertPush(t, &row)
	}, func() { b.db.metrics.settled.WithLabelValues(settledDropped).Add(float64(dropped)) })
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

// Page returns what is kept above after, in order, at most limit pushes and fewer when they are large.
// Limits above 1,000, and those that are not positive, count as 1,000.
func (b *Inbox) Page(ctx context.Context, user biz.UserID, after int64, limit int) ([]*biz.Push, error) {
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	var page []*biz.Push
	var size int64
	which := b.living(user, after)
	now := which[2].(int64)
	err := b.db.reader.each(ctx, selectPushes, append(which, limit), func(rows *sql.Rows) error {
		var r pushRow
		if err := rows.Scan(r.fields()...); err != nil {
			return err
		}
		if size += r.Size; size > maxPageBytes && len(page) > 0 {
			return errEnough
		}
		p, err := fromPushRow(r)
		page = append(page, p)
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	if after == 0 && len(page) > 0 {
		b.begun.raise(mark[biz.UserID, struct{}]{group: user, value: now})
	}
	return page, nil
}

const (
	selectLastPlace  = `SELECT last_seq FROM inbox_heads WHERE user_id = ?`
	selectInboxState = `SELECT count(*), coalesce(sum(size), 0), coalesce(min(seq), 0) FROM inbox WHERE ` + livingPushes
	selectPushTime   = `SELECT created_at FROM inbox WHERE user_id = ? AND seq = ?`
)

// State returns what is kept for a user.
func (b *Inbox) State(ctx context.Context, user biz.UserID) (s biz.InboxState, err error) {
	read := b.db.reader.scanning(ctx)
	err = read(selectLastPlace, []any{string(user)}, &s.Last)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	var first, created int64
	if err == nil {
		err = read(selectInboxState, b.living(user, 0), &s.Pushes, &s.Bytes, &first)
	}
	if err == nil && first > 0 {
		if err = read(selectPushTime, []any{string(user), first}, &created); errors.Is(err, sql.ErrNoRows) {
			err = nil // acknowledged a moment ago
		}
		s.Oldest = fromMicros(created)
	}
	if err != nil {
		return biz.InboxState{}, storeError(err)
	}
	return s, nil
}

// Ack forgets everything up to seq, and returns at once.
func (b *Inbox) Ack(user biz.UserID, seq int64) {
	b.acks.raise(mark[biz.UserID, struct{}]{group: user, value: seq})
}

// Missed forgets a push that had expired before it could be written, and returns at once.
func (b *Inbox) Missed(user biz.UserID, seq int64) {
	b.missed.raise(mark[biz.UserID, int64]{group: user, key: seq, value: 1})
}
