package datatest

import (
	"fmt"

	"github.com/game-im/hermod/internal/biz"
)

var watchSuite = map[string]func(scene){
	"of nothing": func(s scene) {
		s.equal("heads", len(s.heads()), 0)
		s.equal("heads", len(s.heads("nowhere")), 0)
		s.equal("absent", len(s.absent("nowhere")), 0)
		s.equal("absent", s.absent("nowhere", "u"), []biz.UserID{"u"})
	},
	"a version rises with every change of who may say what": testVersion,
	"of as many as there may be at once": func(s scene) {
		rooms, users := make([]biz.RoomID, biz.MaxWatched), make([]biz.UserID, biz.MaxWatched)
		for i := range rooms {
			rooms[i], users[i] = biz.RoomID(fmt.Sprint("r", i)), biz.UserID(fmt.Sprint("u", i))
		}
		s.join(rooms[0], users[0])
		s.join(rooms[biz.MaxWatched-1], users[biz.MaxWatched-1])
		s.join(rooms[0], users[biz.MaxWatched-1])
		heads := s.heads(rooms...)
		if len(heads) != 2 || heads[rooms[0]].Version != 2 || heads[rooms[biz.MaxWatched-1]].Version != 1 {
			s.t.Errorf("heads %v", heads)
		}
		s.equal("absent", s.absent(rooms[0], users...), users[1:biz.MaxWatched-1])
	},
	"ids compare byte by byte": func(s scene) {
		s.join("r", "Ä")
		s.equal("absent", s.absent("r", "ä", "Ä", "Ä "), []biz.UserID{"ä", "Ä "})
		s.equal("heads", len(s.heads("R", "r ", "r")), 1)
	},
}

func testVersion(s scene) {
	change := func(to biz.Member) {
		_, err := s.Members.Join(s.context(), "r", "u", func(state biz.JoinState) (biz.JoinPlan, error) {
			m := *state.Member
			m.Nickname, m.Role, m.Muted = to.Nickname, to.Role, to.Muted
			return biz.JoinPlan{Member: m}, nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	leave := func() {
		if _, err := s.Members.Leave(s.context(), "r", "u"); err != nil {
			s.t.Fatal(err)
		}
	}
	at := int64(0)
	for _, step := range []struct {
		what   string
		raises int64
		do     func()
	}{
		{"a new member", 1, func() { s.join("r", "u") }},
		{"the same again", 0, func() { s.join("r", "u") }},
		{"a message", 0, func() { s.mustAppend(text("r", "u", "", "x")) }},
		{"a nickname", 1, func() { change(biz.Member{Nickname: "n", Role: biz.RoleUser}) }},
		{"a role", 1, func() { change(biz.Member{Nickname: "n", Role: biz.RoleAdmin}) }},
		{"a mute", 1, func() { change(biz.Member{Nickname: "n", Role: biz.RoleAdmin, Muted: true}) }},
		{"no change", 0, func() { change(biz.Member{Nickname: "n", Role: biz.RoleAdmin, Muted: true}) }},
		{"a role that lets him leave", 1, func() { change(biz.Member{Nickname: "n", Role: biz.RoleUser, Muted: true}) }},
		{"another member", 1, func() { s.join("r", "v") }},
		{"another room", 0, func() { s.join("r2", "u") }},
		{"a leave", 1, leave},
		{"who is not there leaves", 0, leave},
	} {
		step.do()
		at += step.raises
		if h := s.heads("r")["r"]; h.Version != at {
			s.t.Errorf("%s: the version is %d, want %d", step.what, h.Version, at)
		}
		s.equal(step.what, s.room("r").Version, at)
	}
	s.equal("head", s.heads("r")["r"].Seq, int64(1))
}

func (s scene) heads(rooms ...biz.RoomID) map[biz.RoomID]biz.RoomHead {
	s.t.Helper()
	heads, err := s.Watch.Heads(s.context(), rooms)
	if err != nil {
		s.t.Fatal(err)
	}
	return heads
}

func (s scene) absent(room biz.RoomID, users ...biz.UserID) []biz.UserID {
	s.t.Helper()
	absent, err := s.Watch.Absent(s.context(), room, users)
	if err != nil {
		s.t.Fatal(err)
	}
	return absent
}
