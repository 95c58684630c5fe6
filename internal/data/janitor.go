package data

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

const (
	janitorInterval = time.Minute
	cursorLife      = 30 * 24 * time.Hour
	// purgeRows bounds one statement, and so how long messages wait for it; purgeRounds how many
	// run in one sweep of a table, 100,000 rows at most.
	purgeRows   = 500
	purgeRounds = 200
)

// Janitor deletes what has had its time: idempotency keys of messages and pushes after 24 hours,
// pushes that expired, cursors that nobody used for 30 days, bans and mutes that are over, invitations that nobody took up,
// what is left of deleted rooms, when users were last there, and messages and recordings as their room and the node's
// retention say.
type Janitor struct {
	db         *DB
	logger     *slog.Logger
	window     time.Duration
	cursor     int64 // the last cursors.no that was looked at
	keep       atomic.Pointer[biz.Retention]
	messages   retention
	sizes      sizing
	recordings recordings
	ended      clearing
	seen       string // the last user of last_seen that was looked at
}

// NewJanitor returns a janitor for db. It deletes idempotency keys after window, which is
// LogOptions.IdempotencyWindow; zero means 24 hours. Messages are kept as their rooms say.
func NewJanitor(db *DB, window time.Duration, logger *slog.Logger) *Janitor {
	j := &Janitor{
		db: db, logger: logger, window: orDefault(window, idempotencyWindow),
		messages: retention{purger: purger{db: db}}, sizes: sizing{purger: purger{db: db}}, recordings: recordings{db: db}, ended: clearing{db: db},
	}
	j.SetRetention(biz.Retention{})
	return j
}

// SetRetention bounds how long messages are kept whatever their rooms say, and when users were last there, from the next
// sweep on. Safe for concurrent use.
func (j *Janitor) SetRetention(keep biz.Retention) { j.keep.Store(&keep) }

// Run sweeps once a minute until ctx ends.
func (j *Janitor) Run(ctx context.Context) error {
	ticker := time.NewTicker(janitorInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			if err := j.Sweep(ctx, now); err != nil && ctx.Err() == nil {
				j.logger.WarnContext(ctx, "sweep of the store", "error", err)
			}
		}
	}
}

// Keys come and go in the order of "no", so looking at the lowest is enough and needs no index. A query
// within a query, since MySQL allows no LIMIT in what IN compares with.
const purgeKeys = `DELETE FROM idempotency WHERE created_at < ?
	AND no IN (SELECT no FROM (SELECT no FROM idempotency ORDER BY no LIMIT ?) AS oldest)`

const purgePushKeys = `DELETE FROM push_keys WHERE created_at < ?
	AND no IN (SELECT no FROM (SELECT no FROM push_keys ORDER BY no LIMIT ?) AS oldest)`

const purgePushes = `DELETE FROM inbox WHERE no IN (SELECT no FROM (SELECT no FROM inbox WHERE expires_at <= ? LIMIT ?) AS expired)`

const purgeBans = `DELETE FROM bans WHERE until > 0 AND until <= ?`

const purgeMutes = `DELETE FROM mutes WHERE until > 0 AND until <= ?`

const purgeInvitations = `DELETE FROM invitations WHERE created_at < ?`

// Cursors are written all the time, which an index on updated_at would make dearer. They are looked through part by
// part instead, on connections that read. A part is so many rows and not so many numbers: servers take a number for
// each cursor that is written, also for one that is there, so that there are far more of them than rows.
const (
	selectCursorPart = `SELECT coalesce(max(no), 0), count(*), count(CASE WHEN updated_at < ? THEN 1 END)
		FROM (SELECT no, updated_at FROM cursors WHERE no > ? ORDER BY no LIMIT ?) AS part`
	purgeCursors = `DELETE FROM cursors WHERE updated_at < ? AND no > ? AND no <= ?`
)

// Sweep deletes what is over at now, in small transactions. It is not meant to run twice at a time.
func (j *Janitor) Sweep(ctx context.Context, now time.Time) error {
	return errors.Join(
		j.sweepTable(ctx, "idempotency", purgeKeys, now.Add(-j.window)),
		j.sweepTable(ctx, "push_keys", purgePushKeys, now.Add(-biz.PushKeyLife)),
		j.sweepTable(ctx, "inbox", purgePushes, now),
		j.sweepDoors(ctx, now),
		j.ended.sweep(ctx),
		j.sweepCursors(ctx, now.Add(-cursorLife)),
		j.sweepSeen(ctx, now, j.keep.Load().LastSeen),
		j.recordings.sweep(ctx, now, *j.keep.Load()),
		j.messages.sweep(ctx, now, *j.keep.Load(), j.logger),
		j.sizes.sweep(ctx, now, *j.keep.Load(), j.logger),
	)
}

func (j *Janitor) sweepTable(ctx context.Context, table, statement string, before time.Time) error {
	for range purgeRounds {
		n, err := j.purge(ctx, table, statement, before.UnixMicro(), purgeRows)
		if err != nil || n < purgeRows {
			return err
		}
	}
	return nil
}

// sweepCursors looks at 100,000 of them at most; the next sweep goes on.
func (j *Janitor) sweepCursors(ctx context.Context, before time.Time) error {
	for range purgeRounds {
		var last, cursors, over int64
		args := []any{before.UnixMicro(), j.cursor, purgeRows}
		if err := j.db.reader.scanning(ctx)(selectCursorPart, args, &last, &cursors, &over); err != nil {
			return storeError(err)
		}
		if over > 0 {
			if _, err := j.purge(ctx, "cursors", purgeCursors, before.UnixMicro(), j.cursor, last); err != nil {
				return err
			}
		}
		if cursors < purgeRows {
			j.cursor = 0
			return nil
		}
		j.cursor = last
	}
	return nil
}

// sweepDoors deletes bans, mutes and invitations, of which there are few.
func (j *Janitor) sweepDoors(ctx context.Context, now time.Time) error {
	_, bans := j.purge(ctx, "bans", purgeBans, now.UnixMicro())
	_, mutes := j.purge(ctx, "mutes", purgeMutes, now.UnixMicro())
	_, invitations := j.purge(ctx, "invitations", purgeInvitations, now.Add(-biz.InvitationLife).UnixMicro())
	return errors.Join(bans, mutes, invitations)
}

func (j *Janitor) purge(ctx context.Context, table, statement string, args ...any) (n int64, err error) {
	err = j.db.writer.do(ctx, func(t *tx) (err error) {
		n, err = t.exec(statement, args...)
		return err
	}, func() {
		j.db.metrics.purged.WithLabelValues(table).Add(float64(n))
		if table == "inbox" {
			j.db.metrics.settled.WithLabelValues(settledExpired).Add(float64(n))
		}
	})
	return n, err
}
