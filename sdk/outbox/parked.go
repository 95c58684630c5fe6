package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const maxPage = 1000

// Reasons of ours; others are what Hermod gave.
const (
	// ReasonTooOld is the reason of an item that had no answer within Options.GiveUpAfter. It may have been delivered.
	ReasonTooOld = "OUTBOX_TOO_OLD"
	// ReasonUnreadable is that of a row that cannot be read: somebody else, or a newer version, has written it.
	ReasonUnreadable = "OUTBOX_UNREADABLE"
)

// Parked is an item that was put aside.
type Parked struct {
	Row      int64 // for Retry and Discard
	ID       string
	Item     Item // nil if it cannot be read
	Reason   string
	Detail   string // for people
	AddedAt  time.Time
	ParkedAt time.Time
}

// Parked lists what was put aside, in the order in which it was added: what is behind the row after, which is 0 at first, and up to
// limit of them, 1,000 at most.
func (b *Box) Parked(ctx context.Context, after int64, limit int) ([]Parked, error) {
	if limit < 1 || limit > maxPage {
		return nil, fmt.Errorf("outbox: a limit of %d is not possible; 1 to %d are allowed", limit, maxPage)
	}
	var rows []entry
	err := b.session(ctx).Raw(`SELECT id, kind, item_id, payload, added_at, parked_at, reason, detail FROM hermod_outbox
		WHERE parked_at > 0 AND id > ? ORDER BY id LIMIT ?`, after, limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("outbox: list what is parked: %w", err)
	}
	list := make([]Parked, len(rows))
	for i, r := range rows {
		list[i] = Parked{
			Row: r.ID, ID: r.ItemID, Reason: r.Reason, Detail: r.Detail,
			AddedAt: time.UnixMilli(r.AddedAt), ParkedAt: time.UnixMilli(r.ParkedAt),
		}
		if item, err := decode(r.Kind, r.ItemID, r.Payload); err == nil {
			list[i].Item = item
		}
	}
	return list, nil
}

// Retry has parked rows tried again, as if they had just been added, and returns how many there were. They come behind
// what was sent of their room or target meanwhile. An item that was parked as OUTBOX_TOO_OLD and was delivered nevertheless is known
// to Hermod for 24 hours from then; later it is delivered twice.
func (b *Box) Retry(ctx context.Context, rows ...int64) (int, error) {
	n, err := b.change(ctx, `UPDATE hermod_outbox SET parked_at = 0, ready_at = 0, tried_at = 0, tries = 0, failures = 0, reason = '', detail = ''
		WHERE parked_at > 0 AND id IN ?`, rows)
	if n > 0 {
		b.Wake()
	}
	return n, err
}

// Discard deletes parked rows, and returns how many there were.
func (b *Box) Discard(ctx context.Context, rows ...int64) (int, error) {
	return b.change(ctx, `DELETE FROM hermod_outbox WHERE parked_at > 0 AND id IN ?`, rows)
}

func (b *Box) change(ctx context.Context, statement string, rows []int64) (int, error) {
	switch {
	case len(rows) == 0:
		return 0, errors.New("outbox: no row is named; those of Parked are allowed")
	case len(rows) > maxPage:
		return 0, fmt.Errorf("outbox: %d rows are named; up to %d are allowed", len(rows), maxPage)
	}
	res := b.session(ctx).Exec(statement, rows)
	if res.Error != nil {
		return 0, fmt.Errorf("outbox: change what is parked: %w", res.Error)
	}
	return int(res.RowsAffected), nil
}

// Backlog is how much a box holds.
type Backlog struct {
	Waiting int64
	Parked  int64
	Oldest  time.Time // when the oldest one that waits was added; zero if none does
}

// Backlog counts what the box holds. It reads an index of all of it: for a metric every few seconds.
func (b *Box) Backlog(ctx context.Context) (Backlog, error) {
	var counted struct {
		Waiting int64 `gorm:"column:waiting"`
		Parked  int64 `gorm:"column:parked"`
	}
	db := b.session(ctx)
	err := db.Raw(`SELECT COALESCE(SUM(CASE WHEN parked_at = 0 THEN 1 ELSE 0 END), 0) AS waiting,
		COALESCE(SUM(CASE WHEN parked_at > 0 THEN 1 ELSE 0 END), 0) AS parked FROM hermod_outbox`).Scan(&counted).Error
	if err != nil {
		return Backlog{}, fmt.Errorf("outbox: count: %w", err)
	}
	var oldest []int64
	err = db.Raw(`SELECT added_at FROM hermod_outbox WHERE parked_at = 0 ORDER BY id LIMIT 1`).Scan(&oldest).Error
	if err != nil {
		return Backlog{}, fmt.Errorf("outbox: find the oldest: %w", err)
	}
	backlog := Backlog{Waiting: counted.Waiting, Parked: counted.Parked}
	if len(oldest) > 0 {
		backlog.Oldest = time.UnixMilli(oldest[0])
	}
	return backlog, nil
}
