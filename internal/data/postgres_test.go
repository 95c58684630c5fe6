package data

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/game-im/hermod/test/databases"
)

// TestPostgresFindsRowsByKey: what a commit reads does not grow with what is stored, on tables that the
// server has not analyzed yet as well.
func TestPostgresFindsRowsByKey(t *testing.T) {
	t.Parallel()
	s := databases.StartPostgres(t)
	db := openWith(t, Options{Driver: "postgres", DSN: s.Create(), StatementTimeout: 30 * time.Second})
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{BatchRows: 16})
	const messages = 3200
	var sent []<-chan outcome
	for i := range messages {
		sent = append(sent, appendAsync(l, textDraft("r", "u", fmt.Sprint(i), "x")))
	}
	for _, o := range sent {
		if got := <-o; got.err != nil {
			t.Fatal(got.err)
		}
	}
	const query = `SELECT relname, coalesce(seq_tup_read, 0), n_tup_ins FROM pg_stat_user_tables WHERE relname = ?`
	for deadline := time.Now().Add(time.Minute); ; {
		var table string
		var read, inserted int64
		if err := db.reader.scanning(t.Context())(query, []any{"idempotency"}, &table, &read, &inserted); err != nil {
			t.Fatal(err)
		}
		if read > messages {
			t.Fatalf("%d messages read %d rows of %s", messages, read, table)
		}
		if inserted >= messages { // the server tells late what it has done, and also of repetitions that it refused
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server tells of %d rows", inserted)
		}
		mustAppend(t, l, textDraft("r", "u", "0", "x")) // a session tells when it ends a transaction
		time.Sleep(50 * time.Millisecond)
	}
}

// TestMigrationsTakeTheirTime: a migration takes as long as it does, and what comes after it no longer than a
// statement may.
func TestMigrationsTakeTheirTime(t *testing.T) {
	t.Parallel()
	s := databases.StartPostgres(t)
	opts := Options{Driver: "postgres", DSN: s.Create(), StatementTimeout: 30 * time.Second}
	other := openWith(t, opts)
	locked, held := make(chan struct{}), make(chan error, 1)
	go func() { // somebody holds up what asks for the schema's version
		held <- other.writer.transact(func(t *tx) error {
			err := t.execOnce(`LOCK TABLE ` + goose.DefaultTablename)
			close(locked)
			return errors.Join(err, t.execOnce(`SELECT pg_sleep(3)`))
		}, func() {})
	}()
	<-locked
	opts.StatementTimeout = time.Second
	db := openWith(t, opts)
	if err := <-held; err != nil {
		t.Error(err)
	}
	var timeout string
	if err := db.writer.do(t.Context(), func(t *tx) error { return t.scan("SHOW statement_timeout", nil, &timeout) }, func() {}); err != nil || timeout != "1s" {
		t.Errorf("afterwards a statement may take %s, %v", timeout, err)
	}
}
