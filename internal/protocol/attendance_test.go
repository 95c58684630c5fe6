package protocol_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/session"
)

// TestWhoIsThereIsCountedOnce: however many sessions he has, on however many nodes. A node that says nothing is noticed.
func TestWhoIsThereIsCountedOnce(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		for i, users := range [][]string{{"alice", "bob", "alice"}, {"alice", "carol"}, {}} {
			for _, user := range users {
				f.nodes[i].Subscribe(f.member(t, i, user).Session, protocol.RoomChannel("r"), nil, 0)
			}
		}
		f.member(t, 2, "dave") // is online, and elsewhere
		synctest.Wait()
		for i, b := range f.nodes {
			if n, complete := b.live.Attending(t.Context(), "r", "empty"); !slices.Equal(n, []int{3, 0}) || !complete {
				t.Errorf("node %d counts %d, %v; want 3 and nobody", i, n, complete)
			}
		}
		f.kill(1)
		if n, complete := f.nodes[0].live.Attending(t.Context(), "r"); !slices.Equal(n, []int{2}) || complete {
			t.Errorf("without node 1: %d, %v", n, complete)
		}
	})
}

// TestManyRoomsAreCountedAtOnce: in more questions than one, and each room has its own count.
func TestManyRoomsAreCountedAtOnce(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		rooms, want := make([]biz.RoomID, 120), make([]int, 120)
		for i := range rooms {
			rooms[i] = biz.RoomID(fmt.Sprint("r", i))
			for j := range i % 3 {
				want[i]++
				f.nodes[j].Subscribe(f.member(t, j, fmt.Sprint("u", j)).Session, protocol.RoomChannel(rooms[i]), nil, 0)
			}
		}
		synctest.Wait()
		if got, complete := f.nodes[1].live.Attending(t.Context(), rooms...); !slices.Equal(got, want) || !complete {
			t.Errorf("counted %v, %v; want %v", got, complete, want)
		}
	})
}

// TestARoomEndsOnAllNodes: who is there is told, and then follows nothing any more.
func TestARoomEndsOnAllNodes(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		var all []*recorded
		for i := range f.nodes {
			r := f.member(t, i, "alice")
			f.nodes[i].Subscribe(r.Session, protocol.RoomChannel("r"), nil, 0)
			all = append(all, r)
		}
		synctest.Wait()
		last := biz.Message{Room: "r", Sender: "bob", Content: []byte("it ends")}
		f.nodes[0].live.Deliver(&biz.Draft{Message: last})
		f.nodes[0].live.Ended(&last)
		synctest.Wait()
		f.nodes[1].live.Deliver(&biz.Draft{Message: biz.Message{Room: "r", Sender: "bob", Content: []byte("too late")}})
		for _, r := range all {
			want(t, r, "message it ends")
			if len(r.Channels()) > 0 {
				t.Errorf("it follows %v", r.Channels())
			}
		}
	})
}

// TestAUserIsToldOnAllNodes: in those of his sessions that are about rooms.
func TestAUserIsToldOnAllNodes(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		here, there, other := f.member(t, 0, "alice"), f.member(t, 1, "alice"), f.member(t, 1, "bob")
		pushes := f.member(t, 1, "alice") // is about something else
		for _, r := range []*recorded{here, there, other} {
			r.SetFollow(func(*session.Session, string) {})
		}
		time.Sleep(time.Second) // of the bubble: until nodes know who is where
		f.nodes[0].live.Tell("alice", &biz.Message{Room: "r", Content: []byte("come"), Time: time.Now()})
		want(t, here, "message come")
		want(t, there, "message come")
		want(t, other)
		want(t, pushes)
	})
}

// TestAttendanceNamesAsManyAsItMay: users of small rooms; of those that are too large together it says how many there are.
func TestAttendanceNamesAsManyAsItMay(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		rooms := []string{"large", "small", "empty", "middle"}
		for room, users := range map[string]int{"large": 4, "middle": 2, "small": 1} {
			for i := range users {
				s := b.connect(session.Options{ID: fmt.Sprint(room, i), User: fmt.Sprint("u", i)})
				b.Subscribe(s.Session, protocol.RoomChannel(biz.RoomID(room)), nil, 0)
			}
		}
		synctest.Wait()
		for most, named := range map[int][]int{0: {0, 0, 0, 0}, 2: {0, 1, 0, 0}, 3: {0, 1, 0, 2}, 6: {0, 1, 0, 2}, 7: {4, 1, 0, 2}} {
			for i, a := range protocol.AttendanceHere(b.Node, rooms, most) {
				if users := []int32{4, 1, 0, 2}[i]; a.GetUsers() != users || len(a.GetHashes()) != named[i] {
					t.Errorf("of %d users it may name it says of the %s room %v", most, rooms[i], a)
				}
			}
		}
	})
}
