package data

import (
	"context"
	"errors"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// slowFailure is how long a transaction must have taken to fail for those who waited meanwhile to share
// its failure. What fails at once may be tried for each of them.
const slowFailure = 250 * time.Millisecond

// failure is a transaction that failed and was not at fault itself.
type failure struct {
	err  error
	at   time.Time // when it was known
	took time.Duration
}

// answers tells whether the failure is the answer to who asked for a transaction at that time. Without
// it, all that wait for a database that hangs would wait for one timeout after another.
func (f *failure) answers(asked time.Time) bool {
	return f != nil && f.took >= slowFailure && asked.Before(f.at)
}

// judge notes what a transaction has shown of the store. That one was committed shows nothing of a store that
// failed another: what writes little, or nothing, may succeed where a message does not; see trialLocked.
func (w *writer) judge(err error, began time.Time) {
	if err == nil || !isOutage(err) {
		return
	}
	now := time.Now()
	if u := (unsure{}); errors.As(err, &u) {
		err = u.error // of who shares it nothing was committed
	}
	w.failed.Store(&failure{err: err, at: now, took: now.Sub(began)})
	w.metrics.writable.Set(0)
}

// isOutage tells whether an error, which ended a transaction, is the store's own.
func isOutage(err error) bool {
	var known *biz.Error
	var own refusal
	if errors.As(err, &known) || errors.As(err, &own) || errors.Is(err, errClosed) {
		return false
	}
	switch faultOf(err) {
	case rowFault, conflictFault:
		return false
	}
	return true
}

// trialBytes is what the trial of a store writes. A disk that takes as little as one page more is full.
const trialBytes = 64 << 10

// tryAgain returns nil when the store works as far as is known, and otherwise what comes of a trial.
func (w *writer) tryAgain() error {
	if w.failed.Load() == nil {
		return nil
	}
	asked := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch f := w.failed.Load(); { // meanwhile
	case f == nil:
		return nil
	case f.answers(asked):
		return f.err
	}
	return w.trialLocked()
}

// trialLocked finds out whether a store that has failed works again: it writes a message in a room that cannot
// exist, which nobody sees since it is gone before the commit.
func (w *writer) trialLocked() error {
	began := time.Now()
	err := w.insistLocked(began, transaction{run: func(t *tx) error {
		row := messageRow{ID: "trial", Content: trialContent()}
		if err := insertMessage(t, &row); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM messages WHERE room_id = ? AND seq = ?`, row.RoomID, row.Seq)
		return err
	}, committed: func() {}})
	if err == nil {
		w.failed.Store(nil)
		w.metrics.writable.Set(1)
	}
	w.judge(err, began)
	return err
}

// trialContent does not compress: a database that keeps it small would prove little.
func trialContent() []byte {
	content := make([]byte, trialBytes)
	state := uint32(2463534242)
	for i := range content { // xorshift
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		content[i] = byte(state)
	}
	return content
}

// Ping tells whether the store can be read, and written as far as is known: when it has failed a
// transaction, another one is tried. For readiness.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.reader.scanning(ctx)("SELECT 1", nil, &one); err != nil {
		return storeError(err)
	}
	if err := db.writer.tryAgain(); err != nil {
		return unavailable(err)
	}
	return nil
}
