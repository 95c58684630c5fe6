package data

import (
	"cmp"
	"context"
	"database/sql"
	"log/slog"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Acquaintances is a biz.AcquaintanceRepo. When users were seen gathers in memory until Run writes it.
type Acquaintances struct {
	db     *DB
	logger *slog.Logger
	seen   *coalescer[biz.UserID, struct{}]
}

// NewAcquaintances returns who shares rooms, and when they were last there, in db.
func NewAcquaintances(db *DB, logger *slog.Logger) *Acquaintances {
	return &Acquaintances{db: db, logger: logger, seen: newCoalescer[biz.UserID, struct{}]()}
}

const (
	// askedUsers is how many users a query has places for.
	askedUsers = 64

	selectAcquainted = `SELECT DISTINCT b.user_id FROM members a JOIN members b ON b.room_id = a.room_id
		WHERE a.user_id = ? AND b.user_id IN (`
	selectSeen = `SELECT user_id, seen_at FROM last_seen WHERE user_id IN (`
)

var (
	selectManyAcquainted = selectAcquainted + places(askedUsers) + `)`
	selectManySeen       = selectSeen + places(askedUsers) + `)`
)

// Acquainted implements biz.AcquaintanceRepo. Everybody is acquainted with himself.
func (a *Acquaintances) Acquainted(ctx context.Context, user biz.UserID, users []biz.UserID) ([]biz.UserID, error) {
	shares := map[biz.UserID]bool{user: true}
	err := a.each(ctx, selectManyAcquainted, []any{string(user)}, users, func(rows *sql.Rows) error {
		var other string
		err := rows.Scan(&other)
		shares[biz.UserID(other)] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make([]biz.UserID, 0, len(shares))
	for _, other := range users {
		if shares[other] {
			found = append(found, other)
		}
	}
	return found, nil
}

// LastSeen implements biz.AcquaintanceRepo.
func (a *Acquaintances) LastSeen(ctx context.Context, users []biz.UserID) (map[biz.UserID]time.Time, error) {
	at := make(map[biz.UserID]int64, len(users))
	for _, user := range users { // first: what leaves memory before it is read is in the database by then
		for _, m := range a.seen.of(user) {
			at[user] = m.value
		}
	}
	err := a.each(ctx, selectManySeen, nil, users, func(rows *sql.Rows) error {
		var user string
		var seen int64
		err := rows.Scan(&user, &seen)
		at[biz.UserID(user)] = max(at[biz.UserID(user)], seen)
		return err
	})
	if err != nil {
		return nil, err
	}
	times := make(map[biz.UserID]time.Time, len(at))
	for user, seen := range at {
		times[user] = fromMicros(seen)
	}
	return times, nil
}

// each asks about users, askedUsers at a time. The last one is named again where there are fewer.
func (a *Acquaintances) each(ctx context.Context, query string, first []any, users []biz.UserID, row func(*sql.Rows) error) error {
	for part := range slices.Chunk(users, askedUsers) {
		args := slices.Clone(first)
		for i := range askedUsers {
			args = append(args, string(part[min(i, len(part)-1)]))
		}
		if err := a.db.reader.each(ctx, query, args, row); err != nil {
			return storeError(err)
		}
	}
	return nil
}

// Seen notes that a user was there, and returns at once. The latest time counts.
func (a *Acquaintances) Seen(user biz.UserID, at time.Time) {
	a.seen.raise(mark[biz.UserID, struct{}]{group: user, value: toMicros(at)})
}

// Run writes what was seen about twice a second, and the last of it when ctx ends.
func (a *Acquaintances) Run(ctx context.Context) error { return a.seen.run(ctx, a.Flush) }

const insertSeen = `INSERT INTO last_seen (user_id, seen_at) VALUES (?, ?)`

// Flush writes what was seen before it was called.
func (a *Acquaintances) Flush(ctx context.Context) error {
	err := a.seen.flush(func(part []mark[biz.UserID, struct{}]) error {
		// Nodes that see the same users wait for each other, and not in a circle.
		slices.SortFunc(part, func(x, y mark[biz.UserID, struct{}]) int { return cmp.Compare(x.group, y.group) })
		return a.db.writer.do(ctx, func(t *tx) error {
			for _, m := range part {
				if _, err := t.exec(insertSeen+t.dialect.raiseSeen, string(m.group), m.value); err != nil {
					return err
				}
			}
			return nil
		}, func() { a.db.metrics.flushed.WithLabelValues("seen").Add(float64(len(part))) })
	})
	if err != nil {
		a.db.metrics.flushFails.WithLabelValues("seen").Inc()
		a.logger.WarnContext(ctx, "when users were last there is not written yet", "error", err)
	}
	return err
}
