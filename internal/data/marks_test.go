package data

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

func count(t *testing.T, db *DB, table string) (n int64) {
	t.Helper()
	if err := db.orm.WithContext(t.Context()).Table(table).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// roomy is room enough in an inbox.
var roomy = biz.InboxLimits{Pushes: 10, Bytes: 1 << 20}

func cursorOf(t *testing.T, c *Cursors, device biz.DeviceID) biz.CursorState {
	t.Helper()
	states, err := c.Cursors(t.Context(), "u", device, []biz.RoomID{"r"})
	if err != nil {
		t.Fatal(err)
	}
	return states["r"]
}

func TestCursorsAreWrittenInGroups(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	c := NewCursors(db, quiet())
	for seq := range int64(1000) {
		c.Advance(biz.Cursor{Room: "r", User: "u", Device: "d", Delivered: seq})
	}
	if n := count(t, db, "cursors"); n != 0 {
		t.Errorf("%d rows before the flush", n)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "cursors"); n != 1 {
		t.Errorf("%d rows after the flush", n)
	}
	c.Advance(biz.Cursor{Room: "r", User: "u", Device: "d", Delivered: 5}) // memory has forgotten the 999
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := cursorOf(t, c, "d"); got.Delivered != 999 {
		t.Errorf("cursor %+v went back", got)
	}
}

func TestCursorsSurviveAFailedFlush(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u") // opens the connection
	c := NewCursors(db, quiet())
	c.Advance(biz.Cursor{Room: "r", User: "u", Device: "d", Delivered: 5})
	pragma(t, db, "query_only=1")
	if err := c.Flush(t.Context()); kindOf(err) != biz.KindUnavailable {
		t.Fatalf("flush: %v", err)
	}
	if got := cursorOf(t, c, "d"); got.Delivered != 5 {
		t.Errorf("cursor %+v is lost", got)
	}
	pragma(t, db, "query_only=0")
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "cursors"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestCoalescerKeepsWhatRoseDuringAWrite(t *testing.T) {
	t.Parallel()
	c := newCoalescer[string, int]()
	c.raise(mark[string, int]{"g", 1, 10})
	c.raise(mark[string, int]{"g", 2, 10})
	failure := errors.New("failure")
	write := func([]mark[string, int]) error {
		c.raise(mark[string, int]{"g", 1, 11})
		return failure
	}
	if err := c.flush(write); !errors.Is(err, failure) || len(c.of("g")) != 2 {
		t.Fatalf("%v, marks %v", err, c.of("g"))
	}
	failure = nil
	write = func([]mark[string, int]) error {
		c.raise(mark[string, int]{"g", 1, 12})
		return nil
	}
	if err := c.flush(write); err != nil {
		t.Fatal(err)
	}
	if got := c.of("g"); len(got) != 1 || got[0].value != 12 {
		t.Errorf("marks %v", got)
	}
	if err := c.flush(func([]mark[string, int]) error { return nil }); err != nil || len(c.of("g")) != 0 {
		t.Errorf("%v, marks %v", err, c.of("g"))
	}
}

func TestJanitor(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	cursors, inbox := NewCursors(db, quiet()), NewInbox(db, quiet())
	start := time.Now()
	const keys, cursorRows = purgeRows + 10, 2*purgeRows + 10
	outcomes := make([]<-chan outcome, keys)
	for i := range outcomes {
		outcomes[i] = appendAsync(l, textDraft("r", "u", time.Duration(i).String(), "x"))
	}
	for _, c := range outcomes {
		if o := <-c; o.err != nil {
			t.Fatal(o.err)
		}
	}
	for _, life := range []time.Duration{time.Hour, 1000 * time.Hour} {
		if err := inbox.Store(t.Context(), "u", &biz.Push{}, start.Add(life), roomy); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(cursorRows) {
		cursors.Advance(biz.Cursor{Room: "r", User: biz.UserID(strconv.FormatInt(i, 10)), Device: "old", Delivered: 1})
	}
	if err := cursors.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	requests := NewPushKeys(db, quiet())
	for i := range 3 {
		if _, err := requests.Begin(t.Context(), biz.PushKey{Key: strconv.Itoa(i)}, biz.PushRecord{Time: start}); err != nil {
			t.Fatal(err)
		}
	}
	j := NewJanitor(db, 0, quiet())
	for _, step := range []struct {
		after                           time.Duration
		keys, pushes, cursors, requests int64
	}{
		{0, keys, 2, cursorRows, 3},
		{2 * time.Hour, keys, 1, cursorRows, 3},
		{23 * time.Hour, keys, 1, cursorRows, 3},
		{25 * time.Hour, 0, 1, cursorRows, 0},
		{29 * 24 * time.Hour, 0, 1, cursorRows, 0},
		{31 * 24 * time.Hour, 0, 1, 0, 0},
		{100 * 24 * time.Hour, 0, 0, 0, 0},
	} {
		for range 2 { // the second finds nothing more
			if err := j.Sweep(t.Context(), start.Add(step.after)); err != nil {
				t.Fatal(err)
			}
		}
		if k, p, c := count(t, db, "idempotency"), count(t, db, "inbox"), count(t, db, "cursors"); k != step.keys || p != step.pushes || c != step.cursors {
			t.Errorf("after %v: %d keys, %d pushes, %d cursors; want %+v", step.after, k, p, c, step)
		}
		if n := count(t, db, "push_keys"); n != step.requests {
			t.Errorf("after %v: %d requests, want %d", step.after, n, step.requests)
		}
	}
	if n := count(t, db, "messages"); n != keys {
		t.Errorf("%d messages are left", n)
	}
	push := &biz.Push{}
	if err := inbox.Store(t.Context(), "u", push, start.Add(time.Hour), roomy); err != nil || push.InboxSeq != 3 {
		t.Errorf("the next push got seq %d, %v", push.InboxSeq, err)
	}
}

// TestAskedForIsUsed: a cursor of a silent room does not expire under a user who keeps coming.
func TestAskedForIsUsed(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	c := NewCursors(db, quiet())
	c.Advance(biz.Cursor{Room: "r", User: "u", Device: "d", Delivered: 5})
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	mutate(t, db, "UPDATE cursors SET updated_at = ?", time.Now().Add(-29*24*time.Hour).UnixMicro())
	cursorOf(t, c, "other")
	cursorOf(t, c, "d")
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := NewJanitor(db, 0, quiet()).Sweep(t.Context(), time.Now().Add(5*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := cursorOf(t, c, "d"); !got.Known || got.Delivered != 5 {
		t.Errorf("cursor %+v", got)
	}
}

func TestJanitorEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewJanitor(openDB(t, t.TempDir()), 0, quiet()).Run(ctx); err != nil {
		t.Error(err)
	}
}

// TestJanitorPassesGapsBetweenCursors: servers number each move of a cursor, whether it makes a row or changes one, so
// that the rows of a busy database lie far apart. One sweep finds those that are over all the same.
func TestJanitorPassesGapsBetweenCursors(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	now := time.Now()
	const apart = purgeRows * purgeRounds // as many as a sweep has numbers for
	for i, days := range []int{31, 1, 31, 31} {
		mutate(t, db, "INSERT INTO cursors (no, user_id, room_id, device_id, delivered, updated_at) VALUES (?, ?, 'r', 'd', 1, ?)",
			1+int64(i)*apart, strconv.Itoa(i), now.AddDate(0, 0, -days).UnixMicro())
	}
	if err := NewJanitor(db, 0, quiet()).Sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "cursors"); n != 1 {
		t.Errorf("%d cursors are left, want the one that is used", n)
	}
}
