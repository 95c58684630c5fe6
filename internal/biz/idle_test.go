package biz_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// register is a book of many rooms, some of which are idle. Those are in the store as well.
type register struct {
	biz.RoomBook
	store  *store
	rooms  int
	idle   map[int]bool
	looked int
}

func roomAt(i int) biz.RoomID { return biz.RoomID(fmt.Sprintf("%07d", i)) }

func (r *register) Idle(_ context.Context, after biz.RoomID, limit int) (rooms []biz.IdleRoom, last biz.RoomID, err error) {
	first := 0
	if after != "" {
		_, _ = fmt.Sscanf(string(after), "%d", &first) // what it is given are its own
		first++
	}
	for i := first; i < r.rooms; i++ {
		if i == first+limit {
			return rooms, last, nil
		}
		r.looked++
		if last = roomAt(i); r.idle[i] {
			config := r.store.rooms[last].Config
			rooms = append(rooms, biz.IdleRoom{ID: last, Persistent: config.Persistent, Timeout: config.IdleTimeout})
		}
	}
	return rooms, "", nil
}

// lobby is where nobody is but in some rooms. It takes its time to say so.
type lobby struct {
	*live
	busy  map[biz.RoomID]bool
	takes time.Duration
}

func (l *lobby) Attending(_ context.Context, rooms ...biz.RoomID) (users []int, complete bool) {
	time.Sleep(l.takes)
	users = make([]int, len(rooms))
	for i, room := range rooms {
		if l.busy[room] {
			users[i] = 1
		}
	}
	return users, true
}

// idleRooms returns what ends rooms, of which there are so many, some of them idle.
func idleRooms(l *lobby, rooms int, idle ...int) (*biz.IdleRooms, *register, *store) {
	s := newStore()
	book := &register{store: s, rooms: rooms, idle: map[int]bool{}}
	for _, i := range idle {
		book.idle[i] = true
		room := durable(roomAt(i))
		room.Config.IdleTimeout = time.Minute
		s.put(room, "alice")
	}
	admin := biz.NewRoomAdmin(biz.NewRooms(s, s, s, l, l, openRules), book, biz.NewHistory(nil), asJSON)
	return biz.NewIdleRooms(admin, slog.New(slog.DiscardHandler)), book, s
}

// TestIdleSweepGoesOn: one sweep looks at a part of many rooms, and the next at what comes then, until all had their
// turn and the first have it again.
func TestIdleSweepGoesOn(t *testing.T) {
	t.Parallel()
	const rooms, part = 120_000, 50_000
	idle, book, s := idleRooms(&lobby{live: &live{}}, rooms, 0, part-1, part, rooms-1)
	for i, want := range []struct{ ended, looked int }{{2, part}, {1, part}, {1, rooms - 2*part}} {
		book.looked = 0
		if ended, err := idle.Sweep(t.Context()); err != nil || ended != want.ended || book.looked != want.looked {
			t.Errorf("sweep %d looked at %d rooms and ended %d, %v; want %+v", i, book.looked, ended, err, want)
		}
	}
	if n := idle.Ended(); n != 4 {
		t.Errorf("%d are counted", n)
	}
	for i := range book.idle {
		if s.rooms[roomAt(i)].DeletedAt.IsZero() {
			t.Errorf("room %d is there", i)
		}
	}
	again := durable(roomAt(0))
	again.Config.IdleTimeout = time.Minute
	s.put(again, "alice")
	if _, err := idle.Sweep(t.Context()); err != nil || s.rooms[again.ID].DeletedAt.IsZero() {
		t.Errorf("the first was not looked at again: %v", err)
	}
}

// TestIdleSweepEndsInTime, however long it takes to ask who is there, and goes on behind the last room that it asked
// about.
func TestIdleSweepEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := make([]int, 500)
		for i := range all {
			all[i] = i
		}
		idle, _, s := idleRooms(&lobby{live: &live{}, busy: map[biz.RoomID]bool{roomAt(3): true}, takes: time.Second}, 1000, all...)
		for _, want := range []int{199, 200, 100} {
			began := time.Now()
			if ended, err := idle.Sweep(t.Context()); err != nil || ended != want || time.Since(began) > 30*time.Second {
				t.Errorf("it ended %d rooms in %v, %v; want %d", ended, time.Since(began), err, want)
			}
		}
		if !s.rooms[roomAt(3)].DeletedAt.IsZero() {
			t.Error("a room was ended that somebody follows")
		}
	})
}

// TestARoomThatCannotBeEndedIsPassed: others behind it have their turn.
func TestARoomThatCannotBeEndedIsPassed(t *testing.T) {
	t.Parallel()
	idle, book, s := idleRooms(&lobby{live: &live{}}, 10, 2, 5)
	s.err = errors.New("it is out of order")
	if _, err := idle.Sweep(t.Context()); err == nil {
		t.Error("it is not told")
	}
	s.err = nil
	if ended, err := idle.Sweep(t.Context()); err != nil || ended != 1 || s.rooms[roomAt(5)].DeletedAt.IsZero() {
		t.Errorf("behind it %d were ended, %v", ended, err)
	}
	delete(book.idle, 5)
	if ended, err := idle.Sweep(t.Context()); err != nil || ended != 1 {
		t.Errorf("when it had its turn again %d were ended, %v", ended, err)
	}
}

// TestARoomThatKeepsNothingEndsWhenNobodyIsThere for as long as it may be idle: when something was last said in it is
// stored nowhere, and that its members have lost their connections for a moment does not end it.
func TestARoomThatKeepsNothingEndsWhenNobodyIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const room = "0000001"
		there := &lobby{live: &live{}, busy: map[biz.RoomID]bool{}}
		idle, _, s := idleRooms(there, 3, 1)
		keepsNothing := s.rooms[room]
		keepsNothing.Config.Persistent, keepsNothing.Config.IdleTimeout = false, 10*time.Minute
		s.rooms[room] = keepsNothing
		for _, step := range []struct {
			minutes int
			busy    bool
		}{{9, false}, {30, true}, {9, false}, {1, true}, {10, false}} {
			there.busy[room] = step.busy
			s.err = errors.New("it is asked for nothing while rooms wait")
			for range step.minutes {
				if ended, err := idle.Sweep(t.Context()); err != nil || ended > 0 {
					t.Fatalf("%+v: %d ended, %v", step, ended, err)
				}
				time.Sleep(time.Minute)
			}
		}
		s.err = nil
		if ended, err := idle.Sweep(t.Context()); err != nil || ended != 1 || s.rooms[room].DeletedAt.IsZero() {
			t.Errorf("when nobody was there for long enough %d were ended, %v", ended, err)
		}
	})
}
