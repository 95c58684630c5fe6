package protocol_test

import (
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
			if n, complete := b.live.Attending(t.Context(), "r"); n != 3 || !complete {
				t.Errorf("node %d counts %d, %v; want 3", i, n, complete)
			}
			if n, complete := b.live.Attending(t.Context(), "empty"); n != 0 || !complete {
				t.Errorf("node %d counts %d, %v, where nobody is", i, n, complete)
			}
		}
		f.kill(1)
		if n, complete := f.nodes[0].live.Attending(t.Context(), "r"); n != 2 || complete {
			t.Errorf("without node 1: %d, %v", n, complete)
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
