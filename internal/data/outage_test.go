package data

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// TestReadyOnlyWhenWritable: a store that can be read and not written is not ready, says why, and is
// ready again without anybody's writing.
func TestReadyOnlyWhenWritable(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ breakIt, repair func(*testing.T, *DB) }{
		"read-only": {setting("query_only=1"), setting("query_only=0")},
		"disk full": {setting("max_page_count=1"), setting("max_page_count=1000000")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openDB(t, t.TempDir())
			joinRoom(t, db, "r", "u")
			l, _ := runLog(t, db, &recorder{}, LogOptions{})
			mustAppend(t, l, textDraft("r", "u", "", "x"))
			fault.breakIt(t, db)
			if o := appendOne(t, l, textDraft("r", "u", "", strings.Repeat("x", 1<<20))); kindOf(o.err) != biz.KindUnavailable {
				t.Fatalf("append: %v", o.err)
			}
			for range 2 {
				if err := db.Ping(t.Context()); kindOf(err) != biz.KindUnavailable || !strings.Contains(err.Error(), ": ") {
					t.Errorf("ready, or not without a reason: %v", err)
				}
				if v := counter(t, db.metrics.writable); v != 0 {
					t.Errorf("writable %v", v)
				}
			}
			for range 2 {
				_ = db.writer.transact(func(*tx) error { return nil }, func() {}) // which a full disk has room for
				if v := counter(t, db.metrics.writable); v != 0 {
					t.Errorf("writable %v behind a transaction that wrote nothing", v)
				}
			}
			fault.repair(t, db)
			if err := db.Ping(t.Context()); err != nil {
				t.Errorf("after the repair: %v", err)
			}
			if v := counter(t, db.metrics.writable); v != 1 {
				t.Errorf("writable after the repair: %v", v)
			}
			if r := mustAppend(t, l, textDraft("r", "u", "", "x")); r.Seq != 2 {
				t.Errorf("after the repair: %+v", r)
			}
			var rows int
			if err := db.reader.scanning(t.Context())(`SELECT count(*) FROM messages`, nil, &rows); err != nil || rows != 2 {
				t.Errorf("%d messages, %v: a trial leaves nothing", rows, err)
			}
		})
	}
}

// TestWritableWithoutBeingAsked: a store that works again is known to once something has been stored in it,
// even if nobody asks whether the node is ready.
func TestWritableWithoutBeingAsked(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	pragma(t, db, "query_only=1")
	if o := appendOne(t, l, textDraft("r", "u", "", "x")); kindOf(o.err) != biz.KindUnavailable {
		t.Fatalf("append: %v", o.err)
	}
	pragma(t, db, "query_only=0")
	if v := counter(t, db.metrics.writable); v != 0 {
		t.Errorf("writable %v before anything was stored", v)
	}
	mustAppend(t, l, textDraft("r", "u", "", "x"))
	if v := counter(t, db.metrics.writable); v != 1 {
		t.Errorf("writable %v although something was stored", v)
	}
}

// TestTrialOnServers: what readiness tries, each database takes.
func TestTrialOnServers(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		db := openWith(t, opts)
		db.writer.failed.Store(&failure{})
		if err := db.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if db.writer.failed.Load() != nil {
			t.Error("a failure is remembered for ever")
		}
	})
}

// TestAFailureNeedsNoTurn: who is answered by a failure is so although another transaction has begun, which may
// take as long to fail. Batches would be told of it one by one otherwise, each behind another one's turn.
func TestAFailureNeedsNoTurn(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{BatchRows: 1})
	db.writer.mu.Lock()
	defer db.writer.mu.Unlock()
	db.writer.failed.Store(&failure{err: errors.New("it hangs"), at: time.Now().Add(time.Hour), took: time.Second})
	for range 10 {
		if o := appendOne(t, l, textDraft("r", "u", "", "x")); kindOf(o.err) != biz.KindUnavailable || !strings.Contains(o.err.Error(), "it hangs") {
			t.Errorf("append: %v", o.err)
		}
	}
}

// TestWaitersShareAFailure: while a database hangs, a thousand batches that wait are answered after a few
// timeouts and not after a thousand, joins as well as messages, and each with the store's own reason.
func TestWaitersShareAFailure(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *databases.Server, opts Options) {
		opts.StatementTimeout = 2 * time.Second
		db := openWith(t, opts)
		joinRoom(t, db, "r", "u")
		l, _ := runLog(t, db, &recorder{}, LogOptions{BatchRows: 1})
		mustAppend(t, l, textDraft("r", "u", "", "before"))
		s.Pause()
		began := time.Now()
		var outcomes []<-chan outcome
		for i := range 1000 {
			outcomes = append(outcomes, appendAsync(l, textDraft("r", "u", fmt.Sprint(i), "x")))
		}
		var joins sync.WaitGroup
		for i := range 2 * maxJobs {
			joins.Go(func() {
				user := biz.UserID(fmt.Sprint(i))
				_, err := NewMembers(db).Join(t.Context(), "r", user, admit("r", user))
				if kindOf(err) != biz.KindUnavailable || reasonOf(err) != "STORE_UNAVAILABLE" {
					t.Errorf("join: %v", err)
				}
			})
		}
		for i, o := range outcomes {
			if got := <-o; kindOf(got.err) != biz.KindUnavailable || reasonOf(got.err) != "STORE_UNAVAILABLE" {
				t.Fatalf("message %d: %v", i, got.err)
			}
		}
		joins.Wait()
		if took := time.Since(began); took > 50*opts.StatementTimeout {
			t.Errorf("that took %v", took)
		}
		s.Continue()
		recovers(t, l)
	})
}

// recovers waits until a message is stored again.
func recovers(t *testing.T, l *MessageLog) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		o := appendOne(t, l, textDraft("r", "u", "recovered", "x"))
		if o.err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the node does not recover: %v", o.err)
		}
	}
}

// TestVanishedNodeLetsGoOfItsRooms: a node that stops in the middle of a commit, as one does whose network
// is cut, keeps others from its rooms no longer than two statements may take.
func TestVanishedNodeLetsGoOfItsRooms(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		opts.StatementTimeout = 2 * time.Second
		vanished, other := openWith(t, opts), openWith(t, opts)
		joinRoom(t, other, "r", "u")
		l, _ := runLog(t, other, &recorder{}, LogOptions{})
		locked, over := make(chan struct{}), make(chan struct{})
		lock := sync.OnceFunc(func() { close(locked) })
		var running sync.WaitGroup
		running.Go(func() {
			var room string
			var head, version int64
			_ = vanished.writer.transact(func(tx *tx) error { // fails once the server has ended it
				err := tx.dialect.bulk.lockHeads(tx, []string{"r"}, func(rows *sql.Rows) error { return rows.Scan(&room, &head, &version) })
				lock()
				<-over
				return err
			}, func() {})
		})
		<-locked
		recovers(t, l) // while the other one is still there
		close(over)
		running.Wait()
		joinRoom(t, vanished, "r", "back") // on another connection
	})
}

// TestStatementTimeout: a statement that takes longer is given up, by the node and by the server.
func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		sleep := map[string]string{"postgres": "SELECT pg_sleep(60)", "mysql": "SELECT sleep(60)"}[opts.Driver]
		opts.StatementTimeout = 2 * time.Second
		db := openWith(t, opts)
		began := time.Now()
		err := db.writer.do(t.Context(), func(t *tx) error { return t.execOnce(sleep) }, func() {})
		if kindOf(err) != biz.KindUnavailable || reasonOf(err) != "STORE_UNAVAILABLE" {
			t.Errorf("writing: %v", err)
		}
		err = storeError(db.reader.scanning(t.Context())(sleep, nil, new(any)))
		if kindOf(err) != biz.KindUnavailable || reasonOf(err) != "STORE_UNAVAILABLE" {
			t.Errorf("reading: %v", err)
		}
		if took := time.Since(began); took > 50*time.Second {
			t.Errorf("that took %v", took)
		}
		joinRoom(t, db, "r", "u") // goes on
	})
}

// TestReadersAreBounded: no more connections read than the configuration says, and who finds none free
// waits for one no longer than for a statement.
func TestReadersAreBounded(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		opts.Readers, opts.StatementTimeout = 2, 2*time.Second
		db := openWith(t, opts)
		var held []interface{ Close() error }
		for range opts.Readers {
			conn, err := db.pools.read.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, conn)
		}
		if err := db.Ping(t.Context()); kindOf(err) != biz.KindUnavailable || reasonOf(err) != "STORE_UNAVAILABLE" {
			t.Errorf("with every connection in use: %v", err)
		}
		if n := db.pools.read.Stats().OpenConnections; n != opts.Readers {
			t.Errorf("%d connections are open, want %d", n, opts.Readers)
		}
		for _, conn := range held {
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("once they are free: %v", err)
		}
	})
}
