package datatest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/game-im/hermod/internal/biz"
)

var memberSuite = map[string]func(scene){
	"unknown": func(s scene) {
		_, err := s.Members.Member(s.context(), "r", "u")
		s.wantKind(err, biz.KindNotFound)
		s.join("r", "other")
		_, err = s.Members.Member(s.context(), "r", "u")
		s.wantKind(err, biz.KindNotFound)
	},
	"join shows the state":         testJoinState,
	"join updates":                 testJoinUpdates,
	"join keeps nothing on error":  testJoinError,
	"join starts at the head":      testJoinHead,
	"joins at the same time count": testJoinConcurrent,
	"leave":                        testLeave,
	"lists in order": func(s scene) {
		for _, user := range []biz.UserID{"c", "a", "b"} {
			s.join("r", user)
			s.join("r2", user)
		}
		s.join("r", "a")
		s.equal("members", s.members("r", 10), []biz.UserID{"c", "a", "b"})
		s.equal("members", s.members("r", 2), []biz.UserID{"c", "a"})
		s.equal("members", len(s.members("nowhere", 10)), 0)
		s.equal("rooms", s.roomsOf("a"), []biz.RoomID{"r", "r2"})
		s.equal("rooms", len(s.roomsOf("nobody")), 0)
	},
	"ids compare byte by byte": func(s scene) {
		for _, id := range strangeIDs {
			if res := s.join("r", biz.UserID(id)); !res.Fresh {
				s.t.Errorf("user %q is taken for another", id)
			}
		}
		s.equal("count", s.room("r").Members, len(strangeIDs))
	},
}

func testJoinState(s scene) {
	var seen biz.JoinState
	look := func(state biz.JoinState) (biz.JoinPlan, error) {
		seen = state
		return admit("r", "u")(state)
	}
	s.join("other", "u")
	first, err := s.Members.Join(s.context(), "r", "u", look)
	if err != nil {
		s.t.Fatal(err)
	}
	if seen.Room != nil || seen.Member != nil || seen.Rooms != 1 || !first.Fresh || first.Room.Members != 1 {
		s.t.Fatalf("first join saw %+v and got %+v", seen, first)
	}
	second, err := s.Members.Join(s.context(), "r", "u", look)
	if err != nil {
		s.t.Fatal(err)
	}
	if seen.Room == nil || seen.Member == nil || seen.Rooms != 2 || second.Fresh {
		s.t.Fatalf("second join saw %+v and got %+v", seen, second)
	}
	s.equal("room", *seen.Room, first.Room)
	s.equal("member", *seen.Member, first.Member)
	s.equal("member", second.Member, first.Member)
}

func testJoinUpdates(s scene) {
	before := s.join("r", "u").Member
	s.mustAppend(text("r", "u", "", "x"))
	res, err := s.Members.Join(s.context(), "r", "u", func(state biz.JoinState) (biz.JoinPlan, error) {
		m := *state.Member
		m.Nickname, m.Role, m.Muted = "nick", biz.RoleModerator, true
		return biz.JoinPlan{Member: m}, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	want := before
	want.Nickname, want.Role, want.Muted = "nick", biz.RoleModerator, true
	s.equal("result", res.Member, want)
	s.equal("fresh", res.Fresh, false)
	got, err := s.Members.Member(s.context(), "r", "u")
	if err != nil {
		s.t.Fatal(err)
	}
	s.equal("member", got, want)
	s.equal("count", s.room("r").Members, 1)
}

func testJoinError(s scene) {
	refusal := errors.New("refused")
	_, err := s.Members.Join(s.context(), "r", "u", func(biz.JoinState) (biz.JoinPlan, error) {
		return biz.JoinPlan{Create: &biz.Room{ID: "r"}}, refusal
	})
	if !errors.Is(err, refusal) {
		s.t.Fatalf("error = %v, want decide's own", err)
	}
	_, err = s.Rooms.Room(s.context(), "r")
	s.wantKind(err, biz.KindNotFound)
	s.equal("rooms", len(s.roomsOf("u")), 0)
}

func testJoinHead(s scene) {
	s.join("r", "u")
	last := s.mustAppend(text("r", "u", "", "x"))
	late := s.join("r", "late").Member
	s.equal("join seq", late.JoinSeq, last.Seq)
	next := s.mustAppend(text("r", "u", "", "y"))
	if next.Seq <= late.JoinSeq {
		s.t.Fatalf("message after the join has seq %d, the join %d", next.Seq, late.JoinSeq)
	}
	s.equal("join seq after joining again", s.join("r", "late").Member.JoinSeq, late.JoinSeq)
}

func testJoinConcurrent(s scene) {
	const users = 60
	s.join("r", "owner")
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() {
			user := biz.UserID(fmt.Sprintf("u%d", i))
			if _, err := s.Members.Join(s.context(), "r", user, admit("r", user)); err != nil {
				s.t.Error(err)
			}
			if i%3 == 0 {
				if left, err := s.Members.Leave(s.context(), "r", user); err != nil || !left {
					s.t.Errorf("leave = %v, %v", left, err)
				}
			}
		})
	}
	wg.Wait()
	want := 1 + users - users/3
	s.equal("count", s.room("r").Members, want)
	s.equal("list", len(s.members("r", 1000)), want)
}

func testLeave(s scene) {
	s.join("r", "u")
	for i, want := range []bool{true, false} {
		left, err := s.Members.Leave(s.context(), "r", "u")
		if err != nil || left != want {
			s.t.Fatalf("leave %d = %v, %v; want %v", i, left, err, want)
		}
	}
	_, err := s.Members.Member(s.context(), "r", "u")
	s.wantKind(err, biz.KindNotFound)
	s.equal("count", s.room("r").Members, 0)
	last := s.mustAppend(text("r", "x", "", "while away"))
	again := s.join("r", "u")
	s.equal("fresh", again.Fresh, true)
	s.equal("join seq", again.Member.JoinSeq, last.Seq)
}

func (s scene) members(room biz.RoomID, limit int) []biz.UserID {
	s.t.Helper()
	members, err := s.Members.Members(s.context(), room, limit)
	if err != nil {
		s.t.Fatal(err)
	}
	users := make([]biz.UserID, len(members))
	for i, m := range members {
		users[i] = m.User
	}
	return users
}

func (s scene) roomsOf(user biz.UserID) []biz.RoomID {
	s.t.Helper()
	rooms, err := s.Members.RoomsOf(s.context(), user)
	if err != nil {
		s.t.Fatal(err)
	}
	return rooms
}
