package data

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// TestGroupedWrites holds the writer while joins of every sort gather behind it: they share a
// transaction, and what is wrong with one is nothing to the others.
func TestGroupedWrites(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	members := NewMembers(db)
	refusal := errors.New("refused")
	canceled, cancel := context.WithCancel(t.Context())

	const n = 40
	var wg sync.WaitGroup
	errs := make([]error, n)
	db.writer.mu.Lock()
	for i := range n {
		wg.Go(func() {
			user, ctx := biz.UserID(fmt.Sprint("u", i)), t.Context()
			decide := admit("r", user)
			switch i % 4 {
			case 1:
				decide = func(biz.JoinState) (biz.JoinPlan, error) { return biz.JoinPlan{}, refusal }
			case 2:
				decide = func(biz.JoinState) (biz.JoinPlan, error) { panic("decide") }
			case 3:
				// Canceled by then; a membership is looked for before anything waits.
				err := db.writer.do(canceled, func(*tx) error { t.Error("ran"); return nil }, func() { t.Error("committed") })
				errs[i] = err
				return
			}
			_, errs[i] = members.Join(ctx, "r", user, decide)
		})
	}
	waitFor(t, func() bool { return db.writer.jobs.count() == n })
	cancel()
	db.writer.mu.Unlock()
	wg.Wait()

	for i, err := range errs {
		switch {
		case i%4 == 0 && err != nil,
			i%4 == 1 && err != refusal, // the very same, not only one that wraps it
			i%4 == 2 && kindOf(err) != biz.KindInternal,
			i%4 == 3 && !errors.Is(err, context.Canceled):
			t.Errorf("caller %d: %v", i, err)
		}
	}
	room, err := loadRoom(db.reader.scanning(t.Context()), "r")
	if err != nil {
		t.Fatal(err)
	}
	cached, err := NewRooms(db).Room(t.Context(), "r")
	if err != nil || room != cached || room.Members != 1+n/4 {
		t.Errorf("stored %+v\ncached %+v, %v", room, cached, err)
	}
}

func (q *jobs) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// TestRejoinWritesNothing: members who come back do not wait for the writer.
func TestRejoinWritesNothing(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	first := joinRoom(t, db, "r", "u")
	db.writer.mu.Lock()
	defer db.writer.mu.Unlock()
	again := joinRoom(t, db, "r", "u")
	if again.Fresh || again.Member != first.Member || again.Room != first.Room {
		t.Errorf("rejoined as %+v, was %+v", again, first)
	}
}

// TestFailedPartIsUndone: what a part had written before it failed goes, what the others wrote in
// the same transaction stays.
func TestFailedPartIsUndone(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	var failure error = biz.Errorf(biz.KindInvalid, "NO", "no")
	write := func(user string, err error) func(*tx) error {
		return func(t *tx) error {
			_, execErr := t.exec(insertCursor+db.dialect.raiseCursor, user, "r", "d", 1, 1)
			return errors.Join(execErr, err)
		}
	}
	var wg sync.WaitGroup
	db.writer.mu.Lock()
	for i, err := range []error{nil, failure, nil} {
		wg.Go(func() {
			if got := db.writer.do(t.Context(), write(fmt.Sprint(i), err), func() {}); (got == nil) != (err == nil) {
				t.Errorf("part %d: %v", i, got)
			}
		})
	}
	waitFor(t, func() bool { return db.writer.jobs.count() == 3 })
	db.writer.mu.Unlock()
	wg.Wait()
	if n := count(t, db, "cursors"); n != 2 {
		t.Errorf("%d rows, want those of the two parts that succeeded", n)
	}
}
