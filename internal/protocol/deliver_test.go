package protocol_test

import (
	"slices"
	"testing"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/session"
)

func TestChannelNames(t *testing.T) {
	t.Parallel()
	for _, room := range []biz.RoomID{"", "r", "room:r", "inbox:r", "ä\n"} {
		if got, ok := protocol.RoomOf(protocol.RoomChannel(room)); !ok || got != room {
			t.Errorf("%q reads back as %q, %v", room, got, ok)
		}
		if got, ok := protocol.RoomOf(protocol.InboxChannel(biz.UserID(room))); ok {
			t.Errorf("the inbox of %q is taken for room %q", room, got)
		}
	}
}

func TestDeliver(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		origin, second, other := b.member("1", "alice"), b.member("2", "alice"), b.member("3", "bob")
		b.live.Deliver(&biz.Draft{
			Message: biz.Message{Room: "r", Sender: "alice", ClientID: "c1", Content: []byte("hi")}, Origin: "1",
		})
		b.live.Deliver(&biz.Draft{ // by a unary call, and without an id of the client's
			Message: biz.Message{Room: "r", Sender: "alice", Content: []byte("again")},
		})
		want(t, origin, "ack c1 at 0", "message again")
		want(t, second, "own hi as c1", "message again")
		want(t, other, "message hi", "message again")
	})
}

// TestARequestIsAnsweredOnce: the message brings the answer to the session that asked, unless somebody
// was faster.
func TestARequestIsAnsweredOnce(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		origin := b.member("1", "alice")
		send := func(id string, asked *biz.Asked) {
			b.live.Deliver(&biz.Draft{Message: biz.Message{Room: "r", Sender: "alice", ClientID: id}, Origin: "1", Asked: asked})
		}
		waiting, gone := &biz.Asked{MsgID: 7}, &biz.Asked{MsgID: 8}
		if !gone.Answer() || gone.Answer() {
			t.Error("an answer can be given twice, or never")
		}
		send("c1", waiting)
		send("c2", gone)
		send("c3", nil)
		want(t, origin, "ack c1 at 0 for 7", "own  as c2", "ack c3 at 0")
		if waiting.Answer() {
			t.Error("what was delivered can be answered again")
		}
	})
}

// TestTheSessionThatJoinsIsNotTold: it follows the room by itself. One that follows nothing any more is
// not told either.
func TestTheSessionThatJoinsIsNotTold(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		var told []string
		follow := func(s *session.Session, room string) { told = append(told, s.ID+" "+room) }
		b.connect(session.Options{ID: "1", User: "alice", Follow: follow})
		b.connect(session.Options{ID: "2", User: "alice", Follow: follow})
		later := b.connect(session.Options{ID: "3", User: "alice"})
		no := b.connect(session.Options{ID: "4", User: "alice", Follow: follow})
		later.SetFollow(follow)
		no.SetFollow(nil)
		if !later.Follows() || no.Follows() {
			t.Error("sessions do not know whether they follow")
		}
		b.live.Joined(biz.JoinResult{Room: biz.Room{ID: "r"}, Member: biz.Member{Room: "r", User: "alice"}, Session: "1"})
		if slices.Sort(told); !slices.Equal(told, []string{"2 r", "3 r"}) {
			t.Errorf("told: %q", told)
		}
	})
}

func TestJoined(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		watcher := b.member("w", "carol")
		var asked []string
		follow := func(s *session.Session, room string) {
			asked = append(asked, s.ID+" "+room)
			b.Subscribe(s, protocol.RoomChannel(biz.RoomID(room)), nil, 0)
		}
		first := b.connect(session.Options{ID: "1", User: "alice", Follow: follow})
		second := b.connect(session.Options{ID: "2", User: "alice", Follow: follow})
		fixed := b.connect(session.Options{ID: "3", User: "alice"}) // follows what it was opened for
		b.connect(session.Options{ID: "4", User: "bob", Follow: follow})
		joined := biz.JoinResult{
			Room:   biz.Room{ID: "r"},
			Member: biz.Member{Room: "r", User: "alice", Nickname: "Al", Role: biz.RoleModerator},
			Fresh:  true,
		}

		b.live.Joined(joined)
		if slices.Sort(asked); !slices.Equal(asked, []string{"1 r", "2 r"}) {
			t.Errorf("asked to follow: %q", asked)
		}
		joined.Fresh = false
		b.live.Joined(joined) // joining again tells nobody
		b.live.Deliver(&biz.Draft{Message: biz.Message{Room: "r", Sender: "carol", Content: []byte("hi")}})
		want(t, first, "message hi")
		want(t, second, "message hi")
		want(t, fixed)
		want(t, watcher, "notice 6 of alice map[nickname:Al role:moderator]", "message hi")
	})
}

// TestJoinedByAStreamThatOpens concerns that stream alone, and the other members.
func TestJoinedByAStreamThatOpens(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		watcher := b.member("w", "carol")
		b.connect(session.Options{ID: "1", User: "alice", Follow: func(*session.Session, string) { t.Error("another stream was asked") }})
		b.live.Joined(biz.JoinResult{Room: biz.Room{ID: "r"}, Member: biz.Member{User: "alice"}, Fresh: true, Opening: true})
		want(t, watcher, "notice 6 of alice map[nickname: role:user]")
	})
}

func TestLeft(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		watcher, first, second := b.member("w", "carol"), b.member("1", "alice"), b.member("2", "alice")
		b.live.Left("r", "alice")
		b.live.Deliver(&biz.Draft{Message: biz.Message{Room: "r", Sender: "carol", Content: []byte("bye")}})
		want(t, watcher, "notice 7 of alice map[]", "message bye")
		for _, r := range []*recorded{first, second} {
			want(t, r)
			if got := r.Channels(); len(got) != 0 {
				t.Errorf("still follows %v", got)
			}
		}
	})
}

func TestOnlineKeepsTheOrder(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.member("1", "carol")
		b.member("2", "alice")
		got := b.live.Online(t.Context(), []biz.UserID{"alice", "bob", "carol", "dave"})
		if !slices.Equal(got, []biz.UserID{"alice", "carol"}) {
			t.Errorf("online: %v", got)
		}
		if got := b.live.Online(t.Context(), nil); got == nil || len(got) != 0 {
			t.Errorf("of nobody: %#v", got)
		}
	})
}
