package data

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// racing does things at the same time and returns what came of them.
func racing(do ...func() error) []error {
	errs := make([]error, len(do))
	var running sync.WaitGroup
	for i := range do {
		running.Go(func() { errs[i] = do[i]() })
	}
	running.Wait()
	return errs
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingIsSaidBehindAKick: what the kicked one says through another node is stored before the room is told that
// he is gone, or not at all.
func TestNothingIsSaidBehindAKick(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		must(t, nodes[0].join("r", "a"))
		for range 10 {
			must(t, nodes[1].join("r", "v"), nodes[1].say("r", "v"))
			speak := func() error {
				for nodes[1].say("r", "v") == nil {
				}
				return nil
			}
			kick := func() error {
				return nodes[0].admin.Kick(context.Background(), as("a"), biz.OfMember{Room: "r", Member: "v"})
			}
			must(t, racing(speak, speak, kick)...)
			all := readAll(t, nodes[0].log, "r")
			if last := all[len(all)-1]; last.Metadata[biz.MetaEventType] != string(biz.EventKicked) {
				t.Fatalf("behind the kick %q of %s was stored", last.Content, last.Sender)
			}
		}
	})
}

// TestABanBeatsAJoin: whatever is first, whoever is banned is not a member afterwards.
func TestABanBeatsAJoin(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		must(t, nodes[0].join("r", "a"))
		of := biz.OfMember{Room: "r", Member: "v"}
		for range 20 {
			ban := func() error { return nodes[0].admin.Ban(context.Background(), as("a"), of) }
			join := func() error { _ = nodes[1].join("r", "v"); return nil }
			must(t, racing(join, ban, join)...)
			if m, err := nodes[1].db.memberships(context.Background(), "v", []biz.RoomID{"r"}); err != nil || len(m) > 0 {
				t.Fatalf("he is a member: %+v, %v", m, err)
			}
			if got := reasonOf(nodes[1].join("r", "v")); got != "BANNED" {
				t.Fatalf("a join after that: %q", got)
			}
			must(t, nodes[1].admin.Unban(context.Background(), as("a"), of))
		}
	})
}

// TestAMuteOutlastsTheMembership: who is muted does not speak again for having left, or been taken out, and joined anew.
func TestAMuteOutlastsTheMembership(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		ctx, of := t.Context(), biz.OfMember{Room: "r", Member: "v"}
		must(t, nodes[0].join("r", "a"))
		for name, gone := range map[string]func() error{
			"leaves":    func() error { return nodes[1].rooms.Leave(ctx, as("v"), "r", "") },
			"is kicked": func() error { return nodes[1].admin.Kick(ctx, as("a"), of) },
			"is banned": func() error {
				return errors.Join(nodes[1].admin.Ban(ctx, as("a"), of), nodes[0].admin.Unban(ctx, as("a"), of))
			},
		} {
			until := of
			until.Until = time.Now().Add(time.Hour).Truncate(time.Microsecond)
			must(t, nodes[0].join("r", "v"))
			_, err := nodes[0].admin.Mute(ctx, as("a"), until)
			must(t, err, gone(), nodes[0].join("r", "v"))
			if got := reasonOf(nodes[1].say("r", "v")); got != "MUTED" {
				t.Errorf("he %s, comes back, and speaks: %q", name, got)
			}
			if m, err := loadMember(nodes[1].db.reader.scanning(ctx), "r", "v"); err != nil || !m.MutedUntil.Equal(until.Until) {
				t.Errorf("he %s, and is muted until %v, %v, want %v", name, m.MutedUntil, err, until.Until)
			}
			_, err = nodes[0].admin.Unmute(ctx, as("a"), of)
			must(t, err, gone(), nodes[0].join("r", "v"), nodes[1].say("r", "v"))
		}
	})
}

// TestTwoAdminsCannotDemoteEachOther: one of them is faster, and the room keeps an admin.
func TestTwoAdminsCannotDemoteEachOther(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		must(t, nodes[0].join("r", "a"), nodes[0].join("r", "b"))
		for range 20 {
			for _, user := range []biz.UserID{"a", "b"} {
				_, err := nodes[0].admin.SetRole(context.Background(), aService, biz.OfMember{Room: "r", Member: user}, biz.RoleAdmin)
				must(t, err)
			}
			demote := func(n *adminNode, by, whom biz.UserID) func() error {
				return func() error {
					_, err := n.admin.SetRole(context.Background(), as(by), biz.OfMember{Room: "r", Member: whom}, biz.RoleUser)
					return err
				}
			}
			errs := racing(demote(nodes[0], "a", "b"), demote(nodes[1], "b", "a"))
			if got := reasonOf(errs[0]) + reasonOf(errs[1]); got != "ROLE_TOO_LOW" {
				t.Fatalf("a: %v, b: %v; one of them is to be faster", errs[0], errs[1])
			}
		}
	})
}

// TestLastAdminsLeaveAtOnce: whoever stays is admin.
func TestLastAdminsLeaveAtOnce(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		for round := range 10 {
			room := biz.RoomID(fmt.Sprint("r", round))
			must(t, nodes[0].join(room, "a"), nodes[0].join(room, "b"), nodes[0].join(room, "c"))
			_, err := nodes[0].admin.SetRole(context.Background(), as("a"), biz.OfMember{Room: room, Member: "b"}, biz.RoleAdmin)
			must(t, err)
			leave := func(n *adminNode, user biz.UserID) func() error {
				return func() error { return n.rooms.Leave(context.Background(), as(user), room, "") }
			}
			must(t, racing(leave(nodes[0], "a"), leave(nodes[1], "b"))...)
			members, _, err := NewRoomBook(nodes[1].db).Members(context.Background(), room, 0, 10)
			if err != nil || len(members) != 1 || members[0].User != "c" || members[0].Role != biz.RoleAdmin {
				t.Fatalf("left are %+v, %v", members, err)
			}
		}
	})
}

// TestNoMoreThanMaxUsersJoin: however many try at once.
func TestNoMoreThanMaxUsersJoin(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		config := biz.DefaultRoomConfig()
		config.MaxUsers = 10
		_, err := nodes[0].admin.Create(context.Background(), as("a"), biz.CreateRoom{Room: "r", Config: &config})
		must(t, err)
		var joins []func() error
		for i := range 40 {
			joins = append(joins, func() error { return nodes[i%2].join("r", biz.UserID(fmt.Sprint("u", i))) })
		}
		in := 0
		for _, err := range racing(joins...) {
			switch reasonOf(err) {
			case "":
				in++
			case "ROOM_FULL":
			default:
				t.Errorf("refused: %v", err)
			}
		}
		room, err := NewRooms(nodes[1].db).Room(context.Background(), "r")
		if err != nil || in != 9 || room.Members != 10 {
			t.Errorf("%d got in, %d are members, %v", in, room.Members, err)
		}
	})
}

// TestBothOfAPairWriteFirst: each on a node of his own, at the same time. There is one room, with both of them, and
// what both said.
func TestBothOfAPairWriteFirst(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		for round := range 10 {
			a, b := biz.UserID(fmt.Sprint("a", round)), biz.UserID(fmt.Sprint("b", round))
			write := func(n *adminNode, from, to biz.UserID) func() error {
				return func() error {
					room, err := n.rooms.Direct(context.Background(), as(from), "", to)
					if err != nil {
						return err
					}
					return n.say(room, from)
				}
			}
			must(t, racing(write(nodes[0], a, b), write(nodes[1], b, a))...)
			room := biz.DirectRoomOf(b, a)
			info, err := NewRooms(nodes[0].db).Room(context.Background(), room)
			if err != nil || info.Members != 2 || info.HeadSeq != 2 || info.Kind != biz.KindDirect {
				t.Fatalf("%+v, %v", info, err)
			}
			mine, err := nodes[0].admin.Mine(context.Background(), as(b), biz.ListRequest{})
			if err != nil || len(mine.Rooms) != 1 || mine.Rooms[0].Peer != a || mine.Rooms[0].State.Unread != 1 || mine.Rooms[0].Last.Seq != 2 {
				t.Fatalf("%+v, %v", mine, err)
			}
			for what, err := range map[string]error{
				"join":   nodes[1].join(room, "c"),
				"leave":  nodes[1].rooms.Leave(context.Background(), as(a), room, ""),
				"invite": nodes[1].admin.Invite(context.Background(), as(a), biz.OfMember{Room: room, Member: "c"}),
				"delete": nodes[1].admin.Delete(context.Background(), aService, room, ""),
			} {
				if reasonOf(err) != "DIRECT_ROOM" {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
	})
}

// TestADeletedRoomOfManyIsClearedAway: a part at a time, and nobody can make it again before those are gone who were in
// it.
func TestADeletedRoomOfManyIsClearedAway(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		n, ctx := nodes[0], context.Background()
		must(t, n.join("r", "a"), n.say("r", "a"), n.say("r", "a"))
		crowd(t, n.db, "r", 3*endedMembers)
		must(t, n.admin.Delete(ctx, as("a"), "r", ""))
		if rooms, err := NewMembers(n.db).RoomsOf(ctx, "crowd-2999"); err != nil || len(rooms) != 0 {
			t.Errorf("of a room that is no more somebody is a member: %v, %v", rooms, err)
		}
		if got := reasonOf(nodes[1].join("r", "b")); got != "ROOM_UNAVAILABLE" {
			t.Errorf("made again at once: %q", got)
		}
		must(t, NewJanitor(n.db, 0, quiet()).Sweep(ctx, time.Now()), nodes[1].join("r", "b"))
		for table, want := range map[string]int{"members": 1, "messages": 0, "ended_rooms": 0} {
			var got int
			must(t, n.db.reader.scanning(ctx)(`SELECT count(*) FROM `+table, nil, &got))
			if got != want {
				t.Errorf("%s has %d rows, want %d", table, got, want)
			}
		}
		must(t, nodes[1].say("r", "b"))
		if room, err := NewRooms(n.db).Room(ctx, "r"); err != nil || room.HeadSeq != 3 || room.FloorSeq != 2 {
			t.Errorf("made again it is %+v, %v", room, err)
		}
	})
}

// crowd puts many members into a room, without telling anybody.
func crowd(tb testing.TB, db *DB, room biz.RoomID, n int) {
	tb.Helper()
	at := time.Now().UnixMicro()
	for first := 0; first < n; first += 5000 {
		err := db.writer.transact(func(t *tx) error {
			for i := first; i < min(n, first+5000); i++ {
				m := memberRow{RoomID: string(room), UserID: fmt.Sprint("crowd-", i), Role: 1, JoinedAt: at}
				if _, err := t.exec(insertMember, m.fields()...); err != nil {
					return err
				}
			}
			return raiseVersion(t, room, min(n, first+5000)-first)
		}, func() { db.memory.forget(room) })
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// TestIdleRoomsAreLookedUpInParts: each part has those that are idle among its rooms, and says where the next begins.
func TestIdleRoomsAreLookedUpInParts(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		for room, idle := range map[biz.RoomID]time.Duration{"a": time.Microsecond, "b": 0, "c": time.Hour, "d": time.Microsecond, "e": 0} {
			config := biz.DefaultRoomConfig()
			config.IdleTimeout, config.Persistent = idle, room != "d"
			_, err := nodes[0].admin.Create(t.Context(), as("a"), biz.CreateRoom{Room: room, Config: &config})
			must(t, err)
		}
		book, after := NewRoomBook(nodes[1].db), biz.RoomID("")
		for _, want := range []struct {
			idle []biz.IdleRoom
			last biz.RoomID
		}{{[]biz.IdleRoom{{ID: "a", Persistent: true, Timeout: time.Microsecond}}, "b"}, {[]biz.IdleRoom{{ID: "d", Timeout: time.Microsecond}}, "d"}, {nil, ""}} {
			idle, last, err := book.Idle(t.Context(), after, 2)
			if err != nil || !slices.Equal(idle, want.idle) || last != want.last {
				t.Errorf("after %q: %v, %q, %v; want %+v", after, idle, last, err, want)
			}
			after = last
		}
	})
}

// TestIdleRoomsEnd: those in which nothing was said for as long as they may be idle and where nobody is, once, whichever
// node is first.
func TestIdleRoomsEnd(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		ctx := context.Background()
		for room, idle := range map[biz.RoomID]time.Duration{"busy": time.Hour, "idle": time.Microsecond, "for-ever": 0} {
			config := biz.DefaultRoomConfig()
			config.IdleTimeout = idle
			_, err := nodes[0].admin.Create(ctx, as("a"), biz.CreateRoom{Room: room, Config: &config})
			must(t, err)
		}
		must(t, racing(func() error {
			_, err := biz.NewIdleRooms(nodes[0].admin, quiet()).Sweep(ctx)
			return err
		}, func() error {
			_, err := biz.NewIdleRooms(nodes[1].admin, quiet()).Sweep(ctx)
			return err
		})...)
		rooms, err := NewMembers(nodes[1].db).RoomsOf(ctx, "a")
		if err != nil || len(rooms) != 2 {
			t.Errorf("left are %v, %v", rooms, err)
		}
		if _, err := NewRooms(nodes[1].db).Room(ctx, "idle"); reasonOf(err) != "ROOM_NOT_FOUND" {
			t.Errorf("the idle room: %v", err)
		}
		told := len(nodes[0].live.delivered("idle"))
		if nodes[1] != nodes[0] {
			told += len(nodes[1].live.delivered("idle"))
		}
		if told != 1 {
			t.Errorf("its end was told %d times", told)
		}
	})
}

// TestALeaveThatDoesNotHappenKeepsNoMute: an admin leaves by way of an act. What was kept of him meanwhile would be on
// him again when he has been unmuted, leaves and comes back.
func TestALeaveThatDoesNotHappenKeepsNoMute(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		ctx, n, admin := t.Context(), nodes[0], biz.OfMember{Room: "r", Member: "a"}
		must(t, n.join("r", "a"))
		_, err := n.admin.Mute(ctx, as("a"), admin)
		must(t, err)
		if left, err := NewMembers(n.db).Leave(ctx, "r", "a"); err != nil || left {
			t.Fatal(left, err)
		}
		if kept := count(t, n.db, "mutes"); kept != 0 {
			t.Errorf("%d mutes of who is there are kept", kept)
		}
		must(t, n.rooms.Leave(ctx, as("a"), "r", ""), n.join("r", "a"))
		if got := reasonOf(n.say("r", "a")); got != "MUTED" {
			t.Errorf("he has left after all, comes back, and speaks: %q", got)
		}
	})
}

// TestMutesAreForgotten: those of who is not there are deleted when they are over, and with their room.
func TestMutesAreForgotten(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		ctx, n := t.Context(), nodes[0]
		must(t, n.join("r", "a"))
		for user, until := range map[biz.UserID]time.Time{"u": time.Now().Add(time.Hour), "v": {}} {
			must(t, n.join("r", user))
			_, err := n.admin.Mute(ctx, as("a"), biz.OfMember{Room: "r", Member: user, Until: until})
			must(t, err, n.rooms.Leave(ctx, as(user), "r", ""))
		}
		for _, step := range []struct {
			do   func() error
			left int64
		}{
			{func() error { return NewJanitor(n.db, 0, quiet()).Sweep(ctx, time.Now()) }, 2},
			{func() error { return NewJanitor(n.db, 0, quiet()).Sweep(ctx, time.Now().Add(2*time.Hour)) }, 1},
			{func() error { return n.admin.Delete(ctx, as("a"), "r", "") }, 0},
		} {
			must(t, step.do())
			if got := count(t, n.db, "mutes"); got != step.left {
				t.Errorf("%d are kept, want %d", got, step.left)
			}
		}
	})
}

// TestDirectRoomsLeaveRoomForOthers: whoever is written to by many may join rooms as before.
func TestDirectRoomsLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		n := nodes[0]
		n.rooms.SetRules(biz.RoomRules{AutoCreate: true, MaxPerUser: 2, Defaults: biz.DefaultRoomConfig()})
		for _, user := range []biz.UserID{"a", "b", "c"} {
			_, err := n.rooms.Direct(t.Context(), as(user), "", "v")
			must(t, err)
		}
		must(t, n.join("r", "v"), n.join("s", "v"))
		if got := reasonOf(n.join("t", "v")); got != "TOO_MANY_ROOMS" {
			t.Errorf("a third room: %q", got)
		}
	})
}
