package biz_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// bouncer is an authorizer that notes what it is asked, and refuses what has a name that it does not like.
type bouncer struct {
	asked []string
	no    []string
	err   error
}

func (b *bouncer) ask(what string) error {
	b.asked = append(b.asked, what)
	if slices.Contains(b.no, what) {
		return b.err
	}
	return nil
}

func (b *bouncer) MayJoin(_ context.Context, by biz.Identity, room biz.RoomID, user biz.UserID) error {
	return b.ask(fmt.Sprintf("%s: %s into %s", by.User, user, room))
}

func (b *bouncer) MayPush(_ context.Context, _ biz.Identity, to []biz.Target) (denied []error) {
	for _, t := range to {
		denied = append(denied, b.ask(t.Type+" "+t.ID))
	}
	return denied
}

func (b *bouncer) MayBroadcast(context.Context, biz.Identity) error { return b.ask("everybody") }

var errBounced = biz.Errorf(biz.KindPermissionDenied, "NOT_AUTHORIZED", "no")

// TestJoinsAreAuthorized wherever somebody becomes a member, after all other checks and before anything is stored.
func TestJoinsAreAuthorized(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	s.live = l
	full := durable("full")
	full.Config.MaxUsers = 1
	s.put(full, "zoe")
	s.put(durable("r"), "zoe")
	b := &bouncer{err: errBounced, no: []string{"alice: alice into mine", "alice: bob into " + string(biz.DirectRoomOf("alice", "bob")), "bob: bob into r"}}
	rooms := biz.NewAuthorizedRooms(s, s, s, l, l, openRules, b)
	admin := biz.NewRoomAdmin(rooms, nil, nil, nil)
	direct := string(biz.DirectRoomOf("alice", "bob"))
	for _, test := range []struct {
		name   string
		do     func() error
		reason string
		asked  []string
	}{
		{"full", func() error { _, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: "full"}); return err }, "ROOM_FULL", nil},
		{"allowed", func() error { _, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: "r"}); return err }, "", []string{"alice: alice into r"}},
		{"again", func() error { _, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: "r"}); return err }, "", nil},
		{"refused", func() error { _, err := rooms.Join(t.Context(), bob, biz.JoinRequest{Room: "r"}); return err }, "NOT_AUTHORIZED", []string{"bob: bob into r"}},
		{"created", func() error { _, err := admin.Create(t.Context(), alice, biz.CreateRoom{Room: "mine"}); return err }, "NOT_AUTHORIZED", []string{"alice: alice into mine"}},
		{"direct", func() error { _, err := rooms.Direct(t.Context(), alice, "", "bob"); return err }, "NOT_AUTHORIZED", []string{"alice: alice into " + direct, "alice: bob into " + direct}},
		{"direct and allowed", func() error { _, err := rooms.Direct(t.Context(), alice, "", "zoe"); return err }, "", []string{
			"alice: alice into " + string(biz.DirectRoomOf("alice", "zoe")), "alice: zoe into " + string(biz.DirectRoomOf("alice", "zoe")),
		}},
	} {
		b.asked = nil
		err := test.do()
		if got := reason(err); got != test.reason || !slices.Equal(b.asked, test.asked) {
			t.Errorf("%s: got %q, and %q were asked about", test.name, got, b.asked)
		}
	}
	for _, room := range []biz.RoomID{"mine", biz.DirectRoomOf("alice", "bob")} {
		if _, err := s.Room(t.Context(), room); reason(err) != "ROOM_NOT_FOUND" {
			t.Errorf("%s was made: %v", room, err)
		}
	}
	if len(l.joined) != 4 { // alice twice, and both of the direct room
		t.Errorf("told of %+v", l.joined)
	}
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return biz.AsError(err).Reason
}

// TestPushesAreAuthorized: each target of a batch by itself, of those that can be pushed to at all; and what cannot
// be decided now begins under no key.
func TestPushesAreAuthorized(t *testing.T) {
	t.Parallel()
	s := newPushScene()
	b := &bouncer{err: errBounced, no: []string{"openid bob", "everybody"}}
	pushes := biz.NewAuthorizedPushes(s.sessions, s.inbox, s.keys, biz.PushRules{MaxBytes: maxPush, MaxTargets: 5, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 2, Bytes: 1 << 20}}, b)
	s.outcomes["openid:alice"], s.outcomes["openid:bob"] = biz.OutcomeDelivered, biz.OutcomeDelivered
	to := []biz.Target{{Type: "openid", ID: "alice"}, {Type: "openid", ID: "bob"}, {Type: "nobody", ID: "x"}}
	for _, o := range []biz.PushOptions{{}, {AckWithin: time.Second}, {Key: "k"}, {Key: "k"}} {
		b.asked = nil
		results, err := pushes.Batch(t.Context(), to, &biz.Push{MsgType: "m"}, o)
		if err != nil || results[0].Err != nil || results[1].Err == nil || results[1].Err.Reason != "NOT_AUTHORIZED" ||
			results[1].Outcome != biz.OutcomeRejected || results[2].Err.Reason != "INVALID_TARGET" {
			t.Errorf("%+v: got %+v, %v", o, results, err)
		}
		if !slices.Equal(b.asked, []string{"openid alice", "openid bob"}) {
			t.Errorf("%q were asked about", b.asked)
		}
		if got := pushes.Push(t.Context(), to[1], &biz.Push{MsgType: "m"}, biz.PushOptions{AckWithin: o.AckWithin}); got.Err == nil || got.Err.Reason != "NOT_AUTHORIZED" {
			t.Errorf("got %+v", got)
		}
	}
	if _, err := pushes.Broadcast(t.Context(), &biz.Push{MsgType: "m"}, biz.PushOptions{}); reason(err) != "NOT_AUTHORIZED" {
		t.Errorf("got %v", err)
	}
	pace := biz.Pace{PerSecond: 1, Report: func(biz.BroadcastCounts) error { return nil }}
	if _, err := pushes.PaceBroadcast(t.Context(), &biz.Push{MsgType: "m"}, pace, biz.PushOptions{}); reason(err) != "NOT_AUTHORIZED" {
		t.Errorf("got %v", err)
	}

	b.err = biz.Errorf(biz.KindUnavailable, "PLUGIN_UNAVAILABLE", "not now")
	if got := pushes.Push(t.Context(), to[1], &biz.Push{MsgType: "m"}, biz.PushOptions{Key: "later"}); got.Err == nil || got.Err.Reason != "PLUGIN_UNAVAILABLE" {
		t.Errorf("got %+v", got)
	}
	b.no = nil
	if got := pushes.Push(t.Context(), to[1], &biz.Push{MsgType: "m"}, biz.PushOptions{Key: "later"}); got.Err != nil || got.Repeated {
		t.Errorf("got %+v under a key that had not begun", got)
	}
}
