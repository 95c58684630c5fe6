package datatest

import (
	"context"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

var roomSuite = map[string]func(scene){
	"unknown": func(s scene) {
		_, err := s.Rooms.Room(s.context(), "nowhere")
		s.wantKind(err, biz.KindNotFound)
	},
	"keeps everything": func(s scene) {
		want := fullRoom("r")
		_, err := s.Members.Join(s.context(), "r", "u", func(biz.JoinState) (biz.JoinPlan, error) {
			room := want
			return biz.JoinPlan{Create: &room, Member: biz.Member{Room: "r", User: "u", Role: biz.RoleAdmin, JoinedAt: aTime}}, nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
		want.Members, want.Version = 1, 1
		s.equal("room", s.room("r"), want)
	},
	"ids compare byte by byte": func(s scene) {
		for _, id := range strangeIDs {
			if res := s.join(biz.RoomID(id), "u"); res.Room.Members != 1 {
				s.t.Errorf("room %q is another one: it has %d members", id, res.Room.Members)
			}
		}
		for _, id := range strangeIDs {
			s.equal("id", s.room(biz.RoomID(id)).ID, biz.RoomID(id))
		}
	},
	"head follows the log": func(s scene) {
		s.join("r", "u")
		for range 20 {
			receipt := s.mustAppend(text("r", "u", "", "x"))
			room := s.room("r")
			if room.HeadSeq < receipt.Seq {
				s.t.Fatalf("head %d after a receipt for %d", room.HeadSeq, receipt.Seq)
			}
			if !room.LastActive.Equal(receipt.Time) {
				s.t.Fatalf("last active %v, want %v", room.LastActive, receipt.Time)
			}
		}
	},
	"canceled": func(s scene) {
		ctx, cancel := context.WithCancel(s.context())
		cancel()
		_, err := s.Rooms.Room(ctx, "r")
		s.wantKind(err, biz.KindCanceled)
	},
}

func (s scene) room(id biz.RoomID) biz.Room {
	s.t.Helper()
	room, err := s.Rooms.Room(s.context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return room
}

func fullRoom(id biz.RoomID) biz.Room {
	return biz.Room{
		ID: id, Name: "name ✓", Description: "described", CreatedAt: aTime, LastActive: aTime.Add(time.Hour),
		Config: biz.RoomConfig{
			MaxUsers: 7, Persistent: true, MessageTTL: 36 * time.Hour, IdleTimeout: 90 * time.Minute,
			AllowAudio: true, AllowRichText: true, AutoTranscribe: true,
		},
	}
}
