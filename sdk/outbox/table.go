package outbox

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// A row waits while parked_at is 0. The oldest waiting row of a lane is its head. Whoever moves a head's ready_at into
// the future, from the value that he has read, has the lane to himself until then: nothing behind a head is ever taken without
// it. That is a lease while the lane is worked on, and a wait when an attempt has come to nothing.

// A batch ends before it has more than this, so that a relay's memory is bounded; one item may have more.
const (
	batchRows  = 64
	batchBytes = 256 << 10
)

// head is the oldest waiting row of a lane.
type head struct {
	ID      int64  `gorm:"column:id"` // names are said, since services have naming strategies of their own
	Lane    string `gorm:"column:lane"`
	ReadyAt int64  `gorm:"column:ready_at"`
}

// entry is a row in hand.
type entry struct {
	ID       int64  `gorm:"column:id"`
	Kind     kind   `gorm:"column:kind"`
	ItemID   string `gorm:"column:item_id"`
	Payload  []byte `gorm:"column:payload"`
	Size     int    `gorm:"column:size"`
	AddedAt  int64  `gorm:"column:added_at"` // these are milliseconds since 1970
	TriedAt  int64  `gorm:"column:tried_at"` // the first attempt under the present key; 0: none
	Tries    int    `gorm:"column:tries"`    // attempts that came to nothing
	Failures int    `gorm:"column:failures"` // those of them that may be the item's fault
	Round    int    `gorm:"column:round"`    // how many keys have been answered for good
	ParkedAt int64  `gorm:"column:parked_at"`
	Reason   string `gorm:"column:reason"`
	Detail   string `gorm:"column:detail"`
}

func insert(tx *gorm.DB, r newRow, now int64) error {
	return tx.Exec(`INSERT INTO hermod_outbox (lane, kind, item_id, payload, size, added_at) VALUES (?, ?, ?, ?, ?, ?)`,
		r.lane, r.kind, r.id, r.payload, len(r.payload), now).Error
}

// heads returns the heads of a kind behind a lane, "" at first, in the order of their lanes: all that there are, if they are fewer than most.
func (b *Box) heads(ctx context.Context, k kind, after string, most int) (found []head, err error) {
	statement := headsByStep
	if b.db.Name() == "mysql" {
		statement = headsByGroup
	}
	err = b.session(ctx).Raw(statement, map[string]any{"kind": k, "after": after, "most": most}).Scan(&found).Error
	return found, err
}

// Both go from one lane to the next by an index and do not read what is behind the heads, which may be very much of one lane. MySQL and
// MariaDB do not use an index for the step of a recursion, and the others none for that of a group.
const (
	headsByStep = `WITH RECURSIVE visited (n, lane) AS (
			SELECT 1, (SELECT MIN(lane) FROM hermod_outbox WHERE parked_at = 0 AND kind = @kind AND lane > @after)
			UNION ALL
			SELECT v.n + 1, (SELECT MIN(o.lane) FROM hermod_outbox o WHERE o.parked_at = 0 AND o.kind = @kind AND o.lane > v.lane)
			FROM visited v WHERE v.lane IS NOT NULL AND v.n < @most)
		SELECT h.id, h.lane, h.ready_at FROM visited JOIN hermod_outbox h ON h.id = (
			SELECT MIN(f.id) FROM hermod_outbox f WHERE f.parked_at = 0 AND f.kind = @kind AND f.lane = visited.lane)
		ORDER BY visited.n`
	headsByGroup = `SELECT h.id, h.lane, h.ready_at FROM (
			SELECT MIN(id) AS id FROM hermod_outbox WHERE parked_at = 0 AND kind = @kind AND lane > @after GROUP BY lane ORDER BY lane LIMIT @most
		) g JOIN hermod_outbox h ON h.id = g.id ORDER BY h.lane`
)

// next returns the head of a lane, if it has one that may be taken.
func (b *Box) next(ctx context.Context, lane string, now time.Time) (h head, found bool, err error) {
	var heads []head
	err = b.session(ctx).Raw(`SELECT id, lane, ready_at FROM hermod_outbox WHERE lane = ? AND parked_at = 0 ORDER BY id LIMIT 1`,
		lane).Scan(&heads).Error
	if err != nil || len(heads) == 0 || heads[0].ReadyAt > now.UnixMilli() {
		return head{}, false, err
	}
	return heads[0], true, nil
}

// take leases a head and returns it with what is behind it in its lane; nothing if somebody else was faster.
func (b *Box) take(ctx context.Context, h head, now time.Time, lease time.Duration) (batch []entry, err error) {
	err = b.session(ctx).Transaction(func(tx *gorm.DB) error {
		leased := tx.Exec(`UPDATE hermod_outbox SET ready_at = ? WHERE id = ? AND ready_at = ? AND parked_at = 0`,
			now.Add(lease).UnixMilli(), h.ID, h.ReadyAt)
		if leased.Error != nil || leased.RowsAffected == 0 {
			return leased.Error
		}
		batch, err = load(tx, h)
		if err != nil || len(batch) == 0 {
			return err
		}
		return markTried(tx, batch, now.UnixMilli())
	})
	if err != nil {
		return nil, err
	}
	return batch, nil
}

// load reads a head and what is behind it, as far as the limits of a batch go. Sizes come first: what does not fit is not read.
func load(tx *gorm.DB, h head) (batch []entry, err error) {
	err = tx.Raw(`SELECT id, kind, item_id, size, added_at, tried_at, tries, failures, round FROM hermod_outbox
		WHERE lane = ? AND parked_at = 0 AND id >= ? ORDER BY id LIMIT ?`, h.Lane, h.ID, batchRows).Scan(&batch).Error
	if err != nil {
		return nil, err
	}
	batch = fitting(batch)
	var payloads []entry
	if err := tx.Raw(`SELECT id, payload FROM hermod_outbox WHERE id IN ? ORDER BY id`, ids(batch)).Scan(&payloads).Error; err != nil {
		return nil, err
	}
	byID := make(map[int64][]byte, len(payloads))
	for _, p := range payloads {
		byID[p.ID] = p.Payload
	}
	for i := range batch {
		payload, found := byID[batch[i].ID]
		if !found { // discarded in between
			return batch[:i], nil
		}
		batch[i].Payload = payload
	}
	return batch, nil
}

func fitting(batch []entry) []entry {
	total := 0
	for i, e := range batch {
		if total += e.Size; i > 0 && total > batchBytes {
			return batch[:i]
		}
	}
	return batch
}

func ids(batch []entry) []int64 {
	list := make([]int64, len(batch))
	for i, e := range batch {
		list[i] = e.ID
	}
	return list
}

// markTried notes, before anything is sent, when that was begun: what becomes of a repetition depends on it.
func markTried(tx *gorm.DB, batch []entry, now int64) error {
	var fresh []int64
	for i := range batch {
		if batch[i].TriedAt == 0 {
			batch[i].TriedAt = now
			fresh = append(fresh, batch[i].ID)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return tx.Exec(`UPDATE hermod_outbox SET tried_at = ? WHERE id IN ?`, now, fresh).Error
}

// outcome is what is to be written about a batch.
type outcome struct {
	done    []int64
	parked  []parking
	later   *delay
	release int64 // the row, if not 0, that was to be the next one and was not tried
}

// parking puts a row aside. A repetition under the same key would get the same answer when that was definite.
type parking struct {
	id       int64
	reason   string
	detail   string
	definite bool
}

// delay is when a row that has come to nothing may be tried again.
type delay struct {
	id       int64
	until    time.Time
	failure  bool // that may be the item's fault
	definite bool
}

// settle writes an outcome, all of it or nothing.
func (b *Box) settle(ctx context.Context, o outcome, now time.Time) error {
	return b.session(ctx).Transaction(func(tx *gorm.DB) error {
		if len(o.done) > 0 {
			if err := tx.Exec(`DELETE FROM hermod_outbox WHERE id IN ?`, o.done).Error; err != nil {
				return err
			}
		}
		for _, p := range o.parked {
			err := tx.Exec(`UPDATE hermod_outbox SET parked_at = ?, reason = ?, detail = ?, round = round + ? WHERE id = ?`,
				now.UnixMilli(), p.reason, p.detail, number(p.definite), p.id).Error
			if err != nil {
				return err
			}
		}
		if o.later != nil {
			return postpone(tx, *o.later)
		}
		if o.release != 0 {
			return tx.Exec(`UPDATE hermod_outbox SET ready_at = 0 WHERE id = ?`, o.release).Error
		}
		return nil
	})
}

// postpone has a row wait. One that was answered for good is tried as if it were new, under another key.
func postpone(tx *gorm.DB, d delay) error {
	statement := `UPDATE hermod_outbox SET ready_at = ?, tries = tries + 1, failures = failures + ? WHERE id = ?`
	if d.definite {
		statement = `UPDATE hermod_outbox SET ready_at = ?, tries = tries + 1, failures = failures + ?, round = round + 1, tried_at = 0 WHERE id = ?`
	}
	return tx.Exec(statement, d.until.UnixMilli(), number(d.failure), d.id).Error
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
