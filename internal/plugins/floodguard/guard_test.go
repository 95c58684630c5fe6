package floodguard

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

// started returns a guard with these keys whose time is set by hand.
func started(t *testing.T, set func(*Keys)) (g *Guard, pass func(time.Duration)) {
	t.Helper()
	g = New()
	set(&g.keys)
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1e9, 0)
	g.now = func() time.Time { return now }
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g, func(d time.Duration) { now = now.Add(d) }
}

func TestConformance(t *testing.T) {
	t.Parallel()
	plugintest.Plugin(t, func() plugin.Plugin { return New() })
	g, _ := started(t, func(*Keys) {})
	g.now = time.Now
	plugintest.Authorizer(t, g)
}

// TestFloodOfAUser is refused beyond the burst, by the reason of the configuration, and goes on at the rate.
func TestFloodOfAUser(t *testing.T) {
	t.Parallel()
	g, pass := started(t, func(k *Keys) { k.PerUser, k.UserBurst, k.Reason = 2, 3, "slowly" })
	say := func(user string) error {
		return g.Authorize(t.Context(), plugin.Access{Kind: plugin.Send, UserID: user, RoomID: "r", Role: "user"})
	}
	for range 3 {
		if err := say("alice"); err != nil {
			t.Error(err)
		}
	}
	var refused *plugin.Error
	if err := say("alice"); !errors.As(err, &refused) || refused.Kind != plugin.KindRefused || refused.Reason != "slowly" {
		t.Errorf("got %v", err)
	}
	if err := say("bob"); err != nil {
		t.Errorf("another user: %v", err)
	}
	if pass(500 * time.Millisecond); say("alice") != nil || say("alice") == nil {
		t.Error("half a second is worth one message")
	}
}

// TestFloodOfARoom is refused whoever says it; what one is refused for himself does not count.
func TestFloodOfARoom(t *testing.T) {
	t.Parallel()
	g, pass := started(t, func(k *Keys) { k.PerUser, k.UserBurst, k.PerRoom, k.RoomBurst = 1, 1, 10, 5 })
	say := func(user, room string) bool {
		return g.Authorize(t.Context(), plugin.Access{Kind: plugin.Send, UserID: user, RoomID: room, Role: "user"}) == nil
	}
	for range 10 {
		say("mallory", "r") // one passes
	}
	for i := range 4 {
		if !say(fmt.Sprint("user-", i), "r") {
			t.Error("the room was full too early")
		}
	}
	if say("zoe", "r") || !say("yves", "other") {
		t.Error("the room has no limit, or another one has it too")
	}
	if pass(100 * time.Millisecond); !say("xaver", "r") {
		t.Error("it stays full")
	}
}

// TestWhoIsExempt, and what is no message, is not limited.
func TestWhoIsExempt(t *testing.T) {
	t.Parallel()
	g, _ := started(t, func(k *Keys) { k.PerUser, k.UserBurst, k.Exempt = 1, 1, []string{"admin", "service"} })
	for range 10 {
		for _, a := range []plugin.Access{
			{Kind: plugin.Send, UserID: "alice", Role: "admin"},
			{Kind: plugin.Send, UserID: "bot", Role: "user", Roles: []string{"service"}},
			{Kind: plugin.Join, UserID: "mallory", RoomID: "r"},
			{Kind: plugin.Push, Target: plugin.Target{Kind: plugin.Everybody}},
		} {
			if err := g.Authorize(t.Context(), a); err != nil {
				t.Errorf("%+v: %v", a, err)
			}
		}
	}
}

// TestMemoryIsBounded: of more users than are to be remembered, those who spoke last are.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	g, _ := started(t, func(k *Keys) { k.PerRoom, k.Most = 1, 100 })
	for i := range 10_000 {
		_ = g.Authorize(t.Context(), plugin.Access{Kind: plugin.Send, UserID: fmt.Sprint("user-", i), RoomID: fmt.Sprint("room-", i)})
	}
	if g.users.known.Len() != 100 || g.rooms.known.Len() != 100 {
		t.Errorf("%d users and %d rooms are known", g.users.known.Len(), g.rooms.known.Len())
	}
}

func TestWrongKeys(t *testing.T) {
	t.Parallel()
	for says, set := range map[string]func(*Keys){
		"per_user is -1":     func(k *Keys) { k.PerUser = -1 },
		"per_room is 2e+06":  func(k *Keys) { k.PerRoom = 2e6 },
		"burst is 0":         func(k *Keys) { k.UserBurst = 0 },
		"room_burst is 0":    func(k *Keys) { k.RoomBurst = 0 },
		"remember is 1;":     func(k *Keys) { k.Most = 1 },
		"they are not empty": func(k *Keys) { k.Reason = "" },
		"nothing is limited": func(k *Keys) { k.PerUser = 0 },
	} {
		g := New()
		set(&g.keys)
		if err := g.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}
