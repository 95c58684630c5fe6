package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// TestA1DurableAck: an acknowledged message is in the files when it is acknowledged, whatever
// becomes of the process.
func TestA1DurableAck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openDB(t, dir)
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	acked := make(map[string]int64)
	for i := range 50 {
		o := make(chan error, 1)
		l.Append(textDraft("r", "u", fmt.Sprint(i), "x"), func(r biz.Receipt, err error) {
			page, pageErr := l.Page(context.Background(), "r", r.Seq-1, 1)
			if pageErr != nil || len(page) != 1 || page[0].ID != r.ID {
				t.Errorf("acknowledged and not readable: %v %v", page, pageErr)
			}
			acked[r.ID] = r.Seq
			o <- err
		})
		if err := <-o; err != nil {
			t.Fatal(err)
		}
	}
	// What a killed process leaves behind is its files as they are now, nothing closed.
	crashed := t.TempDir()
	for _, name := range []string{"hermod.db", "hermod.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(crashed, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, _ := runLog(t, openDB(t, crashed), &recorder{}, LogOptions{})
	for _, m := range readAll(t, again, "r") {
		if acked[m.ID] != m.Seq {
			t.Fatalf("message %s has seq %d, acknowledged was %d", m.ID, m.Seq, acked[m.ID])
		}
		delete(acked, m.ID)
	}
	if len(acked) > 0 {
		t.Fatalf("%d acknowledged messages are lost", len(acked))
	}
	if next := mustAppend(t, again, textDraft("r", "u", "", "next")); next.Seq != 51 {
		t.Fatalf("the next message has seq %d", next.Seq)
	}
}

func TestA1ReopenKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openDB(t, dir)
	first := joinRoom(t, db, "r", "u")
	l, stop := runLog(t, db, &recorder{}, LogOptions{})
	sent := mustAppend(t, l, textDraft("r", "u", "id", "x"))
	cursors, inbox := NewCursors(db, quiet()), NewInbox(db, quiet())
	stopCursors, stopInbox := runUntil(t, cursors.Run), runUntil(t, inbox.Run)
	cursors.Advance(biz.Cursor{Room: "r", User: "u", Device: "d", Delivered: 1})
	pushes := []*biz.Push{{ID: "1"}, {ID: "2"}}
	for _, p := range pushes {
		if err := inbox.Store(t.Context(), "u", p, time.Now().Add(time.Hour), roomy); err != nil {
			t.Fatal(err)
		}
	}
	inbox.Ack("u", pushes[0].InboxSeq)
	stop()
	stopCursors()
	stopInbox()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db = openDB(t, dir)
	l, _ = runLog(t, db, &recorder{}, LogOptions{})
	if again := mustAppend(t, l, textDraft("r", "u", "id", "x")); !again.Duplicate || again.ID != sent.ID {
		t.Errorf("receipt %+v, first was %+v", again, sent)
	}
	if rejoined := joinRoom(t, db, "r", "u"); rejoined.Fresh || rejoined.Member != first.Member || rejoined.Room.HeadSeq != 1 {
		t.Errorf("rejoined as %+v, was %+v", rejoined, first)
	}
	state, err := NewCursors(db, quiet()).Cursors(t.Context(), "u", "d", []biz.RoomID{"r"})
	if want := (biz.CursorState{Delivered: 1, Known: true}); err != nil || state["r"] != want {
		t.Errorf("cursor %+v, %v", state, err)
	}
	kept, err := NewInbox(db, quiet()).Page(t.Context(), "u", 0, 10)
	if err != nil || len(kept) != 1 || kept[0].ID != "2" {
		t.Errorf("inbox %+v, %v", kept, err)
	}
}

func TestA2Idempotent(t *testing.T) {
	t.Parallel()
	t.Run("within one batch", testIdempotentInBatch)
	t.Run("at the same time", testIdempotentConcurrent)
	t.Run("until the window is over", testIdempotentWindow)
}

func testIdempotentInBatch(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	live := &recorder{}
	l, err := NewMessageLog(db, live, LogOptions{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	first := appendAsync(l, textDraft("r", "u", "id", "x"))
	other := appendAsync(l, textDraft("r", "u", "id2", "x"))
	same := appendAsync(l, textDraft("r", "u", "id", "x"))
	conflict := appendAsync(l, textDraft("r", "u", "id", "y"))
	runUntil(t, l.Run)
	want := <-first
	if want.Duplicate || want.Seq != 1 {
		t.Fatalf("first: %+v", want)
	}
	if o := <-other; o.Seq != 2 {
		t.Errorf("other: %+v", o)
	}
	want.Duplicate = true
	if o := <-same; o != want {
		t.Errorf("same: %+v, want %+v", o, want)
	}
	if o := <-conflict; kindOf(o.err) != biz.KindConflict || o.Receipt != (biz.Receipt{}) {
		t.Errorf("conflict: %+v", o)
	}
	if n := len(live.delivered("r")); n != 2 {
		t.Errorf("%d delivered", n)
	}
}

func testIdempotentConcurrent(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	live := &recorder{}
	l, _ := runLog(t, db, live, LogOptions{BatchRows: 3})
	var wg sync.WaitGroup
	outcomes := make([]outcome, 50)
	for i := range outcomes {
		wg.Go(func() { outcomes[i] = <-appendAsync(l, textDraft("r", "u", "id", "x")) })
	}
	wg.Wait()
	fresh := 0
	for _, o := range outcomes {
		if o.err != nil || o.ID != outcomes[0].ID || o.Seq != 1 {
			t.Errorf("outcome %+v, first %+v", o, outcomes[0])
		}
		if !o.Duplicate {
			fresh++
		}
	}
	if fresh != 1 || len(live.delivered("r")) != 1 || len(readAll(t, l, "r")) != 1 {
		t.Errorf("%d new, %d delivered", fresh, len(live.delivered("r")))
	}
}

func testIdempotentWindow(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	mustAppend(t, l, textDraft("r", "u", "id", "x"))
	age := func(by time.Duration) {
		mutate(t, db, "UPDATE idempotency SET created_at = created_at - ?", by.Microseconds())
	}
	age(23 * time.Hour)
	if o := mustAppend(t, l, textDraft("r", "u", "id", "x")); !o.Duplicate {
		t.Errorf("after 23 h: %+v", o)
	}
	age(2 * time.Hour)
	if o := mustAppend(t, l, textDraft("r", "u", "id", "y")); o.Duplicate || o.Seq != 2 {
		t.Errorf("after 25 h: %+v", o)
	}
	if o := mustAppend(t, l, textDraft("r", "u", "id", "y")); !o.Duplicate || o.Seq != 2 {
		t.Errorf("after the new one: %+v", o)
	}
}

// mutate runs a statement on the writer, as only tests do.
func mutate(t *testing.T, db *DB, query string, args ...any) {
	t.Helper()
	err := db.writer.transact(func(t *tx) error {
		_, err := t.exec(query, args...)
		return err
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
}

// TestA3Contiguous: senders in several rooms, each with several messages on their way, and
// members who come and go: no holes, delivered in order, the same live as stored.
func TestA3Contiguous(t *testing.T) {
	t.Parallel()
	const rooms, senders, each = 5, 16, 100
	db := openDB(t, t.TempDir())
	for r := range rooms {
		joinRoom(t, db, benchRoom(r), "u")
	}
	live := &recorder{}
	l, _ := runLog(t, db, live, LogOptions{BatchRows: 32})
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			user := biz.UserID(fmt.Sprint("u", i))
			for n := range each {
				room := benchRoom((i + n) % rooms)
				var clientID string
				if n%2 == 0 {
					clientID = fmt.Sprint(n / 4) // every other one is a duplicate, where the room is the same
				}
				if o := <-appendAsync(l, textDraft(room, user, clientID, "x")); o.err != nil {
					t.Error(o.err)
				}
				if n%10 == 0 {
					joinRoom(t, db, room, user)
				}
			}
		})
	}
	wg.Wait()
	for r := range rooms {
		stored, got := readAll(t, l, benchRoom(r)), live.delivered(benchRoom(r))
		if len(stored) == 0 || len(stored) != len(got) {
			t.Fatalf("room %d: %d stored, %d delivered", r, len(stored), len(got))
		}
		for i := range stored {
			if stored[i].Seq != int64(i+1) || got[i].Seq != int64(i+1) || got[i].ID != stored[i].ID || !got[i].Time.Equal(stored[i].Time) {
				t.Fatalf("room %d place %d: stored %+v, delivered %+v", r, i+1, stored[i], got[i])
			}
		}
	}
}
