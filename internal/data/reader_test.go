package data

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if rooms, err := NewMembers(db).RoomsOf(ended, "u"); !errors.Is(err, context.Canceled) || rooms != nil {
		t.Errorf("rooms %v, %v after the end of the context", rooms, err)
	}
	failed := errors.New("row")
	err := db.reader.each(t.Context(), selectRoomsOf, []any{"u"}, func(*sql.Rows) error { return failed })
	if err != failed { // the very same
		t.Errorf("got %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, user := range []biz.UserID{"u", "other"} {
		if _, err := NewMembers(db).RoomsOf(t.Context(), user); kindOf(err) != biz.KindUnavailable {
			t.Errorf("after Close: %v", err)
		}
	}
}

// TestReaderLetsConnectionsGo: whatever a query comes to, its connection is free again.
func TestReaderLetsConnectionsGo(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	for i := range 3 {
		joinRoom(t, db, benchRoom(i), "u")
	}
	var wg sync.WaitGroup
	for _, outcome := range []error{nil, errEnough, errors.New("row")} {
		for range 20 {
			wg.Go(func() {
				rows := 0
				err := db.reader.each(t.Context(), selectRoomsOf, []any{"u"}, func(*sql.Rows) error {
					rows++
					return outcome
				})
				if want := map[bool]int{true: 3, false: 1}[outcome == nil]; rows != want || (err != outcome && outcome != errEnough) {
					t.Errorf("%d rows and error %v with %v", rows, err, outcome)
				}
				if _, err := loadRoom(db.reader.scanning(t.Context()), "none"); kindOf(err) != biz.KindNotFound {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if n := db.pools.read.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use", n)
	}
}

// TestCursorsOfAnyNumberOfRooms asks around the number of rooms that one query takes.
func TestCursorsOfAnyNumberOfRooms(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	c := NewCursors(db, quiet())
	const most = 2*askedRooms + 1
	var rooms []biz.RoomID
	for i := range most {
		rooms = append(rooms, benchRoom(i))
		c.Advance(biz.Cursor{Room: benchRoom(i), User: "u", Device: "d", Delivered: int64(i + 1)})
		c.Advance(biz.Cursor{Room: benchRoom(i), User: "other", Device: "d", Delivered: most + 1})
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 2, askedRooms - 1, askedRooms, askedRooms + 1, askedRooms + 2, most} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			got, err := c.Cursors(t.Context(), "u", "d", rooms[:n])
			if err != nil || len(got) != n {
				t.Fatalf("%d cursors, %v", len(got), err)
			}
			for i, room := range rooms[:n] {
				if want := (biz.CursorState{Known: true, Delivered: int64(i + 1)}); got[room] != want {
					t.Errorf("%s: %+v, want %+v", room, got[room], want)
				}
			}
		})
	}
}

// TestOpeningIsCheap: building each query anew took three times as much.
func TestOpeningIsCheap(t *testing.T) {
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	o := opener{NewMembers(db), NewCursors(db, quiet()), NewInbox(db, quiet())}
	n := testing.AllocsPerRun(200, func() {
		if err := o.open(t.Context(), "r", "u"); err != nil {
			t.Error(err)
		}
	})
	if n > 110 {
		t.Errorf("%v allocations; it takes about 70", n)
	}
}
