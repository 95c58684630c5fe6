package data

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// smallLog opens a store whose log is moved when it has a megabyte, with a table for what a test writes.
func smallLog(t *testing.T, log *slog.Logger) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Dir: t.TempDir()}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	db.checkpointer.at = 256 // before anything is written that it would look at
	mutate(t, db, "CREATE TABLE filling (n INTEGER PRIMARY KEY, content BLOB)")
	return db
}

const fillSize = 64 << 10

// fillLog writes rows until done, which is told how many pages the log has and is asked after each, and
// returns how many bytes that took; it gives up behind 128 MiB.
func fillLog(t *testing.T, db *DB, done func(pages int) bool) (written int) {
	t.Helper()
	content := bytes.Repeat([]byte("x"), fillSize)
	for n := 0; written < 128<<20; n++ {
		if err := db.writer.transact(func(t *tx) error {
			_, err := t.exec("INSERT OR REPLACE INTO filling VALUES (?, ?)", n%100, content)
			return err
		}, func() {}); err != nil {
			t.Fatal(err)
		}
		written += fillSize
		if done(logPages(t, db)) {
			return written
		}
	}
	t.Errorf("not done after %d bytes", written)
	return written
}

func logPages(t *testing.T, db *DB) (pages int) {
	t.Helper()
	var busy, copied int
	if err := db.pools.checkpoint.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &pages, &copied); err != nil {
		t.Fatal(err)
	}
	return pages
}

// restarts returns a function for fillLog that is true when the log has begun anew so many times.
func restarts(times int) func(pages int) bool {
	last := 0
	return func(pages int) bool {
		if pages < last {
			times--
		}
		last = pages
		return times <= 0
	}
}

// TestTheLogBeginsAnewWhileEverybodyReadsAndWrites writes without a pause, with readers that take turns so
// that there is always one.
func TestTheLogBeginsAnewWhileEverybodyReadsAndWrites(t *testing.T) {
	t.Parallel()
	db := smallLog(t, quiet())
	for range 3 {
		runUntil(t, func(ctx context.Context) error {
			for ctx.Err() == nil {
				var n int
				if err := db.pools.read.QueryRow("SELECT coalesce(sum(length(content)), 0) FROM filling WHERE n < 2").Scan(&n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	written := fillLog(t, db, restarts(3))
	info, err := os.Stat(db.pools.name + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB written, the log has %d", written>>20, info.Size()>>20)
}

// TestAReaderThatStaysHoldsNobodyUp has somebody read an old state, as a backup does, while others write.
func TestAReaderThatStaysHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer // the checkpointer alone writes to it
	db := smallLog(t, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	old, err := db.pools.read.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var before, after int
	if err := old.QueryRow("SELECT count(*) FROM filling").Scan(&before); err != nil {
		t.Fatal(err)
	}
	fillLog(t, db, func(pages int) bool { return pages > 2*db.checkpointer.at })
	if err := old.QueryRow("SELECT count(*) FROM filling").Scan(&after); err != nil || after != before {
		t.Errorf("the reader sees %d rows, %v; before it saw %d", after, err, before)
	}
	if err := old.Rollback(); err != nil {
		t.Fatal(err)
	}
	again := restarts(1)
	fillLog(t, db, func(pages int) bool {
		time.Sleep(5 * time.Millisecond) // the checkpointer looks a second later, and 128 MiB are enough until then
		return again(pages)
	})
	db.checkpointer.close()
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
}

// TestALogThatCannotBeMovedIsToldOnce has the checkpointer fail, and then not.
func TestALogThatCannotBeMovedIsToldOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := &checkpointer{logger: slog.New(slog.NewTextHandler(&log, nil))}
	for _, err := range []error{nil, errHeld, os.ErrPermission, errHeld, os.ErrPermission, nil, nil} {
		c.report(err)
	}
	if got := log.String(); strings.Count(got, "cannot be moved") != 1 || strings.Count(got, "again") != 1 || strings.Count(got, "\n") != 2 {
		t.Errorf("logged: %s", got)
	}
}

// TestCloseLeavesTheFileAlone closes a store with a long log.
func TestCloseLeavesTheFileAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := Open(t.Context(), Options{Dir: dir}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	mutate(t, db, "CREATE TABLE filling (n INTEGER PRIMARY KEY, content BLOB)")
	fillLog(t, db, func(pages int) bool { return pages > 500 })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "hermod.db-*"))
	if err != nil || len(names) != 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}
