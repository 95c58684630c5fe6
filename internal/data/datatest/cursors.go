package datatest

import (
	"fmt"

	"github.com/game-im/hermod/internal/biz"
)

var cursorSuite = map[string]func(scene){
	"advances and never goes back": func(s scene) {
		for _, seq := range []int64{5, 9, 7} {
			s.Cursors.Advance(biz.Cursor{Room: "r", User: "u", Device: "d", Delivered: seq})
		}
		s.equal("cursor", s.cursors("u", "d", "r")["r"], biz.CursorState{Delivered: 9, Known: true})
	},
	"devices and users are apart": func(s scene) {
		s.Cursors.Advance(biz.Cursor{Room: "r", User: "u", Device: "d", Delivered: 5})
		s.Cursors.Advance(biz.Cursor{Room: "r", User: "u", Device: "", Delivered: 3})
		s.equal("other device", s.cursors("u", "new", "r")["r"], biz.CursorState{})
		s.equal("no device", s.cursors("u", "", "r")["r"], biz.CursorState{Delivered: 3, Known: true})
		if got := s.cursors("u2", "d", "r"); len(got) != 0 {
			s.t.Errorf("another user has cursors: %v", got)
		}
	},
	"rooms without one are absent": func(s scene) {
		s.Cursors.Advance(biz.Cursor{Room: "r", User: "u", Device: "new", Delivered: 0})
		s.Cursors.Advance(biz.Cursor{Room: "r2", User: "u", Device: "d", Delivered: 5})
		got := s.cursors("u", "d", "r", "r2", "r3")
		if _, ok := got["r"]; !ok || len(got) != 2 || got["r"].Known || !got["r2"].Known {
			s.t.Errorf("cursors = %v", got)
		}
	},
	"many rooms": func(s scene) {
		rooms := make([]biz.RoomID, 1500)
		for i := range rooms {
			rooms[i] = biz.RoomID(fmt.Sprintf("r%d", i))
			s.Cursors.Advance(biz.Cursor{Room: rooms[i], User: "u", Device: "d", Delivered: int64(i)})
		}
		got := s.cursors("u", "d", rooms...)
		for i, room := range rooms {
			s.equal(string(room), got[room], biz.CursorState{Delivered: int64(i), Known: true})
		}
	},
}

func (s scene) cursors(user biz.UserID, device biz.DeviceID, rooms ...biz.RoomID) map[biz.RoomID]biz.CursorState {
	s.t.Helper()
	got, err := s.Cursors.Cursors(s.context(), user, device, rooms)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}
