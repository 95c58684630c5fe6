package data

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
)

// counter reads a counter or a gauge that has no labels.
func counter(t *testing.T, c prometheus.Collector) float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	m := families[0].GetMetric()[0]
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() // it is one of them
}

// pragma changes a setting of the writing connection, outside of a transaction.
func pragma(t *testing.T, db *DB, setting string) {
	t.Helper()
	db.writer.mu.Lock()
	defer db.writer.mu.Unlock()
	if err := db.writer.tx.conn.QueryRowContext(context.Background(), "PRAGMA "+setting).Scan(new(any)); err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
}

// queueAll appends drafts to a log that does not run yet, so that they are one batch.
func queueAll(l *MessageLog, drafts []*biz.Draft) []<-chan outcome {
	outcomes := make([]<-chan outcome, len(drafts))
	for i, d := range drafts {
		outcomes[i] = appendAsync(l, d)
	}
	return outcomes
}

func TestBadRowsFailAlone(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	joinRoom(t, db, "r2", "u")
	mutate(t, db, `CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.sender = 'evil'
		BEGIN SELECT RAISE(ABORT, 'refused'); END`)
	live := &recorder{}
	l, err := NewMessageLog(db, live, LogOptions{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	var drafts []*biz.Draft
	for i := range 256 {
		sender := biz.UserID("u")
		if i == 0 || i == 77 || i == 78 || i == 255 {
			sender = "evil"
		}
		drafts = append(drafts, textDraft(biz.RoomID([]string{"r", "r2"}[i%2]), sender, fmt.Sprint(i), fmt.Sprint(i)))
	}
	outcomes := queueAll(l, drafts)
	runUntil(t, l.Run)
	next := map[biz.RoomID]int64{}
	for i, d := range drafts {
		o := <-outcomes[i]
		if d.Sender == "evil" {
			if kindOf(o.err) != biz.KindInternal || o.Receipt != (biz.Receipt{}) {
				t.Errorf("evil %d: %+v", i, o)
			}
			continue
		}
		if next[d.Room]++; o.err != nil || o.Seq != next[d.Room] {
			t.Errorf("draft %d: %+v, want seq %d", i, o, next[d.Room])
		}
	}
	for room, n := range next {
		if got := readAll(t, l, room); int64(len(got)) != n || len(live.delivered(room)) != len(got) {
			t.Errorf("room %s has %d messages and %d were delivered, want %d", room, len(got), len(live.delivered(room)), n)
		}
	}
	if n := counter(t, db.metrics.batches); n > 60 {
		t.Errorf("%v transactions for four bad rows", n)
	}
	// What a refused message had claimed was rolled back with it.
	mutate(t, db, "DROP TRIGGER refuse")
	if r := mustAppend(t, l, textDraft("r", "evil", "0", "0")); r.Duplicate {
		t.Errorf("receipt %+v for a message that was refused before", r)
	}
}

// TestEightBadRowsAreFound spreads them as far as they can be in a full batch, where finding them is dearest.
func TestEightBadRowsAreFound(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	mutate(t, db, `CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.sender = 'evil'
		BEGIN SELECT RAISE(ABORT, 'refused'); END`)
	l, err := NewMessageLog(db, &recorder{}, LogOptions{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	full := LogOptions{}.withDefaults().BatchRows
	drafts := make([]*biz.Draft, full)
	for i := range drafts {
		drafts[i] = textDraft("r", "u", "", "x")
		if i%(full/8) == 0 {
			drafts[i].Sender = "evil"
		}
	}
	outcomes := queueAll(l, drafts)
	runUntil(t, l.Run)
	for i, d := range drafts {
		if o := <-outcomes[i]; (o.err != nil) != (d.Sender == "evil") || kindOf(o.err) == biz.KindUnavailable {
			t.Errorf("draft %d of %q: %v", i, d.Sender, o.err)
		}
	}
	if n := len(readAll(t, l, "r")); n != full-8 {
		t.Errorf("%d messages are stored, want %d", n, full-8)
	}
}

// TestUnavailable breaks the database in several ways: senders get KindUnavailable, with one
// transaction for a whole batch, and everything goes on once it is repaired.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ breakIt, repair func(*testing.T, *DB) }{
		"read-only": {setting("query_only=1"), setting("query_only=0")},
		"disk full": {setting("max_page_count=1"), setting("max_page_count=1000000")}, // SQLite makes 1 the present size
		"locked":    {lockFile, unlockFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openDB(t, t.TempDir())
			joinRoom(t, db, "r", "u")
			l, err := NewMessageLog(db, &recorder{}, LogOptions{}, quiet())
			if err != nil {
				t.Fatal(err)
			}
			var drafts []*biz.Draft
			for i := range 200 {
				drafts = append(drafts, textDraft("r", "u", fmt.Sprint(i), strings.Repeat("x", 4096)))
			}
			outcomes := queueAll(l, drafts)
			fault.breakIt(t, db)
			runUntil(t, l.Run)
			for i := range outcomes {
				if o := <-outcomes[i]; kindOf(o.err) != biz.KindUnavailable || reasonOf(o.err) != "STORE_UNAVAILABLE" {
					t.Fatalf("draft %d: %+v", i, o)
				}
			}
			if n := counter(t, db.metrics.batches); n != 1 {
				t.Errorf("%v transactions for one batch", n)
			}
			if _, err := NewMembers(db).Join(t.Context(), "r", "new", admit("r", "new")); name != "disk full" && kindOf(err) != biz.KindUnavailable {
				t.Errorf("join: %v", err)
			}
			fault.repair(t, db)
			if r := mustAppend(t, l, textDraft("r", "u", "0", "x")); r.Seq != 1 || r.Duplicate {
				t.Errorf("after the repair: %+v", r)
			}
			joinRoom(t, db, "r", "new")
		})
	}
}

func setting(s string) func(*testing.T, *DB) {
	return func(t *testing.T, db *DB) {
		t.Helper()
		pragma(t, db, s)
	}
}

// lockFile has another connection hold the write lock, and the writer wait 10 ms for it.
func lockFile(t *testing.T, db *DB) {
	t.Helper()
	pragma(t, db, "busy_timeout=10")
	conn, err := db.pools.read.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"PRAGMA query_only=0", "BEGIN IMMEDIATE"} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	lockers.Store(db, conn)
}

func unlockFile(t *testing.T, db *DB) {
	t.Helper()
	conn, ok := lockers.LoadAndDelete(db)
	if !ok {
		t.Fatal("nothing is locked")
	}
	if _, err := conn.(*sql.Conn).ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*sql.Conn).Close(); err != nil {
		t.Fatal(err)
	}
}

// lockers has the connection that holds the lock of each locked *DB.
var lockers sync.Map

func TestBrokenSchemaIsNotBisectedForEver(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	mutate(t, db, "ALTER TABLE messages RENAME TO gone")
	l, err := NewMessageLog(db, &recorder{}, LogOptions{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	drafts := make([]*biz.Draft, 256)
	for i := range drafts {
		drafts[i] = textDraft("r", "u", "", "x")
	}
	outcomes := queueAll(l, drafts)
	runUntil(t, l.Run)
	for i := range outcomes {
		if o := <-outcomes[i]; o.err == nil {
			t.Fatal("stored without a table")
		}
	}
	if n := counter(t, db.metrics.batches); n > 2*maxFailedCommits {
		t.Errorf("%v transactions", n)
	}
	mutate(t, db, "ALTER TABLE gone RENAME TO messages")
	if r := mustAppend(t, l, textDraft("r", "u", "", "x")); r.Seq != 1 {
		t.Errorf("after the repair: %+v", r)
	}
}

func TestClosedDatabase(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if o := appendOne(t, l, textDraft("r", "u", "", "x")); kindOf(o.err) != biz.KindUnavailable {
		t.Errorf("append: %v", o.err)
	}
	if _, err := l.Page(t.Context(), "r", 0, 1); kindOf(err) != biz.KindUnavailable {
		t.Errorf("page: %v", err)
	}
	if _, err := NewMembers(db).Leave(t.Context(), "r", "u"); kindOf(err) != biz.KindUnavailable {
		t.Errorf("leave: %v", err)
	}
	if err := db.Ping(t.Context()); err == nil {
		t.Error("ping of a closed database succeeds")
	}
}

// TestConnectionLost closes the writing connection under the log: the next transaction opens
// another.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	mustAppend(t, l, textDraft("r", "u", "", "x"))
	db.writer.mu.Lock()
	err := db.writer.tx.conn.Close()
	db.writer.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if o := appendOne(t, l, textDraft("r", "u", "", "x")); o.err != nil && kindOf(o.err) != biz.KindUnavailable {
		t.Fatalf("the first after it: %v", o.err)
	}
	mustAppend(t, l, textDraft("r", "u", "", "x"))
}
