package data

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// TestSmallPackets: a MySQL server that takes statements of no more than 1 MiB takes batches that have more than that.
// A message that is too large by itself is refused alone, and the store goes on.
func TestSmallPackets(t *testing.T) {
	t.Parallel()
	databases.Need(t, "mysql")
	s := databases.StartMySQL(t)
	opts := Options{Driver: "mysql", DSN: s.Create(), StatementTimeout: 30 * time.Second}
	admin, err := sql.Open("mysql", opts.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	if _, err := admin.ExecContext(t.Context(), "SET GLOBAL max_allowed_packet = 1048576"); err != nil {
		t.Fatal(err)
	}
	db := openWith(t, opts)
	joinRoom(t, db, "r", "u")
	l, err := NewMessageLog(db, &recorder{}, LogOptions{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	var drafts []*biz.Draft
	for i := range 200 {
		size := 16_000
		if i == 100 {
			size = 1_500_000
		}
		drafts = append(drafts, textDraft("r", "u", fmt.Sprint(i), strings.Repeat("'", size)))
	}
	outcomes := queueAll(l, drafts)
	runUntil(t, l.Run)
	for i, done := range outcomes {
		o := <-done
		switch {
		case i == 100 && biz.KindOf(o.err) != biz.KindInternal:
			t.Errorf("the large one: %+v", o)
		case i != 100 && o.err != nil:
			t.Errorf("message %d: %v", i, o.err)
		}
	}
	if n := len(readAll(t, l, "r")); n != len(drafts)-1 {
		t.Errorf("%d messages are stored", n)
	}
}
