package biz_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/biz"
)

func TestPositions(t *testing.T) {
	t.Parallel()
	cursor := func(device biz.DeviceID, at int64) biz.Cursor {
		return biz.Cursor{Room: "r", User: "alice", Device: device, Delivered: at}
	}
	tests := []struct {
		name          string
		joined, floor int64
		cursors       []biz.Cursor
		device        biz.DeviceID
		want          int64
	}{
		{name: "a member without a cursor starts where he joined", joined: 3, want: 3},
		{name: "or at the retention floor, if that is higher", joined: 3, floor: 7, want: 7},
		{name: "a device starts behind its cursor", joined: 3, cursors: []biz.Cursor{cursor("phone", 5)}, device: "phone", want: 5},
		{name: "also below the floor: the page tells what is gone", floor: 8, cursors: []biz.Cursor{cursor("phone", 5)}, device: "phone", want: 5},
		{name: "nor before he joined", joined: 6, cursors: []biz.Cursor{cursor("phone", 5)}, device: "phone", want: 6},
		{name: "a new device of somebody who has another starts at the head", joined: 3, cursors: []biz.Cursor{cursor("phone", 5)}, device: "tablet", want: 10},
		{name: "streams without a device share one", joined: 3, cursors: []biz.Cursor{cursor("", 5)}, want: 5},
		{name: "which is a device like any other", joined: 3, cursors: []biz.Cursor{cursor("", 5)}, device: "phone", want: 10},
		{name: "and does not know of named ones", joined: 3, cursors: []biz.Cursor{cursor("phone", 5)}, want: 10},
		{name: "each device has its own place", cursors: []biz.Cursor{cursor("phone", 5), cursor("tablet", 9)}, device: "phone", want: 5},
		{name: "another user's cursor is not his", joined: 3, cursors: []biz.Cursor{{Room: "r", User: "bob", Device: "phone", Delivered: 9}}, device: "phone", want: 3},
		{name: "nor that of another room", joined: 3, cursors: []biz.Cursor{{Room: "other", User: "alice", Device: "phone", Delivered: 9}}, device: "phone", want: 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			room := durable("r")
			room.HeadSeq, room.FloorSeq = 10, test.floor
			s.put(room, "alice")
			s.members["r"][0].JoinSeq = test.joined
			b := biz.NewBacklog(s, s, s, s)
			for _, c := range test.cursors {
				b.Delivered(c)
			}
			got, err := b.Positions(t.Context(), "alice", test.device, []biz.RoomID{"r"})
			want := []biz.Position{{Room: "r", After: test.want}}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestPositionsOfManyRooms(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.put(durable("mine"), "alice")
	s.put(durable("foreign"), "bob")
	s.put(biz.Room{ID: "volatile", HeadSeq: 4}, "alice")
	b := biz.NewBacklog(s, s, s, s)

	got, err := b.Positions(t.Context(), "alice", "", []biz.RoomID{"volatile", "unknown", "foreign", "mine"})
	want := []biz.Position{{Room: "volatile", Live: true}, {Room: "mine"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if got, err := b.Positions(t.Context(), "alice", "", nil); len(got) != 0 || err != nil {
		t.Errorf("of no rooms: %+v, %v", got, err)
	}
	if got, err := b.Rooms(t.Context(), "alice"); err != nil || !slices.Equal(got, []biz.RoomID{"mine", "volatile"}) {
		t.Errorf("rooms %v, %v", got, err)
	}
}

// TestAPositionIsNeverBeforeWhatTheMemberMaySee: whatever the cursors say.
func TestAPositionIsNeverBeforeWhatTheMemberMaySee(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seq := rapid.Int64Range(0, 20)
		s := newStore()
		room := durable("r")
		room.HeadSeq = seq.Draw(t, "head")
		room.FloorSeq = min(room.HeadSeq, seq.Draw(t, "floor"))
		s.put(room, "alice")
		joined := min(room.HeadSeq, seq.Draw(t, "joined"))
		s.members["r"][0].JoinSeq = joined
		for _, device := range []biz.DeviceID{"", "phone"} {
			if rapid.Bool().Draw(t, "has a cursor") {
				s.Advance(biz.Cursor{Room: "r", User: "alice", Device: device, Delivered: min(room.HeadSeq, seq.Draw(t, "cursor"))})
			}
		}
		for _, device := range []biz.DeviceID{"", "phone", "new"} {
			got, err := biz.NewBacklog(s, s, s, s).Positions(t.Context(), "alice", device, []biz.RoomID{"r"})
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			at := got[0].After
			if at < joined || at < room.FloorSeq && device == "new" || at > room.HeadSeq {
				t.Fatalf("device %q starts after %d; joined at %d, floor %d, head %d", device, at, joined, room.FloorSeq, room.HeadSeq)
			}
		}
	})
}

func TestPositionsTellOfAStoreThatFails(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.put(durable("r"), "alice")
	s.err = errors.New("disk")
	b := biz.NewBacklog(s, s, s, s)
	if got, err := b.Positions(t.Context(), "alice", "", []biz.RoomID{"r"}); err == nil {
		t.Errorf("got %v", got)
	}
}

// TestA4PageTellsWhatIsGone: from wherever one reads, what comes is contiguous or is said to be gone, and
// nothing is when there is nothing to read.
func TestA4PageTellsWhatIsGone(t *testing.T) {
	t.Parallel()
	const head = 5
	for _, test := range []struct {
		floor, after int64
		limit        int
		gone         int64
		want         []int64
	}{
		{floor: 0, after: 2, limit: 2, want: []int64{3, 4}},
		{floor: 3, after: 1, limit: 9, gone: 3, want: []int64{4, 5}},
		{floor: 3, after: 3, limit: 9, want: []int64{4, 5}},
		{floor: 3, after: 4, limit: 9, want: []int64{5}},
		{floor: 5, after: 1, limit: 9, gone: 5},
		{floor: 5, after: 5, limit: 9},
		{floor: 0, after: 9, limit: 9},
	} {
		s := newScene()
		for range head {
			s.send(t, alice, biz.Message{Room: "r", Type: biz.TypeText})
		}
		room := s.rooms["r"]
		room.FloorSeq = test.floor
		s.rooms["r"] = room
		page, gone, err := biz.NewBacklog(s, s, s, s).Page(t.Context(), "r", test.after, test.limit)
		var got []int64
		for _, m := range page {
			got = append(got, m.Seq)
		}
		if err != nil || gone != test.gone || !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v, gone up to %d, %v", test, got, gone, err)
		}
	}
}

// rising is a log whose floor rises after a page was read, to where it is not behind the page's begin.
type rising struct{ *scene }

func (r rising) Floor(context.Context, biz.RoomID) (int64, error) { return 4, nil }

// TestA4TheFloorRisesBehindAPage: what was read is delivered, and only what lies before is said to be gone.
func TestA4TheFloorRisesBehindAPage(t *testing.T) {
	t.Parallel()
	s := newScene()
	for range 5 {
		s.send(t, alice, biz.Message{Room: "r", Type: biz.TypeText})
	}
	room := s.rooms["r"]
	room.FloorSeq = 2
	s.rooms["r"] = room
	page, gone, err := biz.NewBacklog(s, s, rising{s}, s).Page(t.Context(), "r", 0, 9)
	if err != nil || gone != 2 || len(page) != 3 || page[0].Seq != 3 {
		t.Errorf("%v, gone up to %d, %v", page, gone, err)
	}
}
