package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// ErrNoTransaction is returned by Add when what it is given is no transaction: nothing would commit or roll
// back together with the item.
var ErrNoTransaction = errors.New("outbox: Add is given a database and not a transaction; use the tx of db.Transaction or db.Begin")

// Box is the table of a service's database that items wait in.
type Box struct {
	db   *gorm.DB
	bell chan struct{} // has one when somebody has added or called Wake
}

// New returns the box in db. It does nothing with the database.
func New(db *gorm.DB) *Box {
	return &Box{db: db, bell: make(chan struct{}, 1)}
}

// Add has items delivered if tx commits, in their order. It checks what can be known without Hermod, and then
// either adds all of them or returns an error, which tx should be rolled back for. With a tx that is no transaction
// that is ErrNoTransaction.
//
// A relay in this process looks for the items at once, and then at growing intervals until they are committed. In
// other processes relays see them when they next poll.
func (b *Box) Add(tx *gorm.DB, items ...Item) error {
	if _, ok := tx.Statement.ConnPool.(gorm.TxCommitter); !ok {
		return ErrNoTransaction
	}
	rows := make([]newRow, len(items))
	for i, item := range items {
		var err error
		if rows[i], err = encode(item); err != nil {
			return fmt.Errorf("outbox: items[%d]: %w", i, err)
		}
	}
	clean := tx.Session(&gorm.Session{NewDB: true, Context: tx.Statement.Context})
	now := time.Now().UnixMilli()
	for _, row := range rows {
		if err := insert(clean, row, now); err != nil {
			return fmt.Errorf("outbox: add: %w", err)
		}
	}
	b.Wake()
	return nil
}

// Wake has a relay of this process look now, and often for a while. Add has called it already; to call it again right behind
// a commit that took long saves the wait until the next look.
func (b *Box) Wake() {
	select {
	case b.bell <- struct{}{}:
	default: // it rings
	}
}

// session is the database for the box's own statements, of which the service's logger is not told: they are many.
func (b *Box) session(ctx context.Context) *gorm.DB {
	return b.db.Session(&gorm.Session{NewDB: true, Context: ctx, Logger: logger.Discard})
}
