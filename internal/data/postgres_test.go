package data

import (
	"fmt"
	"testing"
	"time"

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
		if inserted == messages { // the server tells late what it has done
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server tells of %d rows", inserted)
		}
		mustAppend(t, l, textDraft("r", "u", "0", "x")) // a session tells when it ends a transaction
		time.Sleep(50 * time.Millisecond)
	}
}
