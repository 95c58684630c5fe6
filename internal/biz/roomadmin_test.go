package biz_test

import (
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

func newAdmin(s *store, l *live) *biz.RoomAdmin {
	return biz.NewRoomAdmin(newRooms(s, l, openRules), nil, biz.NewHistory(nil), asJSON)
}

func TestDirectRoomOfAPair(t *testing.T) {
	t.Parallel()
	room := biz.DirectRoomOf("alice", "bob")
	if room != biz.DirectRoomOf("bob", "alice") {
		t.Error("it depends on who is first")
	}
	for _, other := range [][2]biz.UserID{{"alice", "bo"}, {"alic", "ebob"}, {"alice", "Bob"}} {
		if biz.DirectRoomOf(other[0], other[1]) == room {
			t.Errorf("%v have the same", other)
		}
	}
}

func TestDirectRoomsAreRefusedClearly(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	rooms := newRooms(s, l, openRules)
	_, err := rooms.Direct(t.Context(), alice, "", "alice")
	wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
	_, err = rooms.Direct(t.Context(), alice, "", "")
	wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
	_, err = rooms.Join(t.Context(), alice, biz.JoinRequest{Room: biz.DirectRoomOf("alice", "bob")})
	wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
	_, err = newAdmin(s, l).Create(t.Context(), alice, biz.CreateRoom{Room: "direct:x"})
	wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
	d := &biz.Draft{Message: biz.Message{Room: "r"}}
	wantError(t, rooms.Address(t.Context(), alice, d, "bob"), biz.KindInvalid, "INVALID_ARGUMENT")
}

// TestWhatRoomsAreCalled: bad texts and configurations are refused before anything is asked of the store.
func TestWhatRoomsAreCalled(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	s.put(durable("r"), "alice", "bob")
	admin := newAdmin(s, l)
	long, name := strings.Repeat("x", biz.MaxRoomDescription+1), "new"
	for _, req := range []biz.UpdateRoom{
		{Room: ""},
		{Room: "r", Name: &long},
		{Room: "r", Description: &long},
		{Room: "r", Config: &biz.RoomConfig{Persistent: true, MaxUsers: -1}},
		{Room: "r", Config: &biz.RoomConfig{Persistent: true, MessageTTL: -time.Second}},
		{Room: "r", Config: &biz.RoomConfig{Persistent: true, IdleTimeout: 1<<63 - 1}},
		{Room: "r", Config: &biz.RoomConfig{Persistent: false}},
	} {
		_, err := admin.Update(t.Context(), alice, req)
		wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
	}
	_, err := admin.Update(t.Context(), bob, biz.UpdateRoom{Room: "r", Name: &name})
	wantError(t, err, biz.KindPermissionDenied, "ROLE_TOO_LOW")
	if len(s.events) != 0 {
		t.Errorf("told %v", s.events)
	}
	for range 2 { // the second time nothing changes, and nobody is told
		room, err := admin.Update(t.Context(), alice, biz.UpdateRoom{Room: "r", Name: &name})
		if err != nil || room.Name != "new" || room.Config != biz.DefaultRoomConfig() {
			t.Errorf("%+v, %v", room, err)
		}
	}
	if len(s.events) != 1 || s.events[0].Type != biz.EventRoomUpdated || s.events[0].Room.Name != "new" {
		t.Errorf("told %+v", s.events)
	}
}

func TestMutesThatEnd(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	s.put(durable("r"), "alice", "bob")
	admin := newAdmin(s, l)
	of := biz.OfMember{Room: "r", Member: "bob", Reason: "noise", Until: time.Now().Add(-time.Second)}
	_, err := admin.Mute(t.Context(), alice, of)
	wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
	of.Until = time.Unix(time.Now().UnixMilli(), 0) // by who gives milliseconds for seconds: no timestamp may be that late
	_, err = admin.Mute(t.Context(), alice, of)
	wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
	wantError(t, admin.Ban(t.Context(), alice, of), biz.KindInvalid, "INVALID_ARGUMENT")
	of.Until = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
	if _, err := admin.Mute(t.Context(), alice, of); err != nil {
		t.Error(err)
	}
	s.events = nil
	of.Until = time.Now().Add(time.Hour)
	m, err := admin.Mute(t.Context(), alice, of)
	if err != nil || !m.MutedAt(time.Now()) || m.MutedAt(of.Until) {
		t.Errorf("%+v, %v", m, err)
	}
	if data := s.events[0].Data; data["reason"] != "noise" || data["until"] == "" || data["user_id"] != "bob" || data["by"] != "alice" {
		t.Errorf("told %v", data)
	}
	of.Reason = strings.Repeat("x", biz.MaxReason+1)
	_, err = admin.Mute(t.Context(), alice, of)
	wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
}

// TestAModeratorDoesNotUnmuteHimself: who was muted by an admin would otherwise be so for as long as he likes.
func TestAModeratorDoesNotUnmuteHimself(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	s.put(durable("r"), "alice", "bob")
	admin := newAdmin(s, l)
	of := biz.OfMember{Room: "r", Member: "bob"}
	_, err := admin.SetRole(t.Context(), alice, of, biz.RoleModerator)
	wantError(t, err, 0, "")
	_, err = admin.Mute(t.Context(), alice, of)
	wantError(t, err, 0, "")
	_, err = admin.Unmute(t.Context(), bob, of)
	wantError(t, err, biz.KindPermissionDenied, "ROLE_TOO_LOW")
	of.Member = "alice"
	_, err = admin.Mute(t.Context(), alice, of)
	wantError(t, err, 0, "")
	_, err = admin.Unmute(t.Context(), alice, of)
	wantError(t, err, 0, "")
}

func TestNobodyKicksOrBansHimself(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	s.put(durable("r"), "alice", "bob")
	of := biz.OfMember{Room: "r", Member: "alice"}
	wantError(t, newAdmin(s, l).Kick(t.Context(), alice, of), biz.KindInvalid, "INVALID_ARGUMENT")
	wantError(t, newAdmin(s, l).Ban(t.Context(), alice, of), biz.KindInvalid, "INVALID_ARGUMENT")
	wantError(t, newAdmin(s, l).Kick(t.Context(), nobody, of), biz.KindInvalid, "INVALID_ARGUMENT")
	wantError(t, newAdmin(s, l).Kick(t.Context(), backend, of), 0, "")
}

func TestPageTokensOfRooms(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	s.put(durable("r"), "alice")
	admin := newAdmin(s, l)
	for _, token := range []string{"x", "!!", "AAAAAAA", strings.Repeat("A", 1000)} {
		_, err := admin.Members(t.Context(), alice, biz.ListRequest{Room: "r", Token: token})
		wantError(t, err, biz.KindInvalid, "INVALID_PAGE_TOKEN")
		_, err = admin.Bans(t.Context(), alice, biz.ListRequest{Room: "r", Token: token})
		wantError(t, err, biz.KindInvalid, "INVALID_PAGE_TOKEN")
	}
	for _, limit := range []int{-1, biz.MaxListedMembers + 1} {
		_, err := admin.Members(t.Context(), alice, biz.ListRequest{Room: "r", Limit: limit})
		wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
		_, err = admin.Mine(t.Context(), alice, biz.ListRequest{Limit: limit})
		wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
	}
}
