package plugintest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/game-im/hermod/plugin"
)

// Authorizer checks an authorizer that is ready, with the questions given and with one of each kind, and of a kind that
// does not exist. Whether it decides rightly is for other tests to tell.
func Authorizer(t *testing.T, p plugin.Authorizer, also ...plugin.Access) {
	t.Helper()
	asked := append([]plugin.Access{
		{Kind: plugin.Join, By: "alice", RoomID: "r", UserID: "alice"},
		{Kind: plugin.Join, Subject: "backend", Roles: []string{"service"}, RoomID: "r", UserID: "bob"},
		{Kind: plugin.Send, By: "alice", RoomID: "r", UserID: "alice", Role: "user"},
		{Kind: plugin.Push, Subject: "backend", Target: plugin.Target{Kind: plugin.User, ID: "alice"}},
		{Kind: plugin.Push, Target: plugin.Target{Kind: plugin.Session, ID: "s"}},
		{Kind: plugin.Push, Target: plugin.Target{Kind: plugin.Group, ID: "7"}},
		{Kind: plugin.Push, Target: plugin.Target{Kind: plugin.Everybody}},
		{Kind: 99, By: "alice"},
	}, also...)
	everywhere(t, asked, func(ctx context.Context, a plugin.Access) error {
		return answered(called(func() error { return p.Authorize(ctx, a) }))
	})
}

// SessionObserver checks an observer of sessions that is ready. It is told of a kind that does not exist too.
func SessionObserver(t *testing.T, p plugin.SessionObserver) {
	t.Helper()
	var events []plugin.SessionEvent
	for i, kind := range []plugin.SessionEventKind{plugin.Connected, plugin.Detached, plugin.Resumed, plugin.Ended, 99} {
		e := plugin.SessionEvent{
			Kind: kind, SessionID: "s", UserID: "alice", GID: 7, DeviceID: "phone", Protocol: "im", Transport: "websocket",
			Address: "127.0.0.1:50000", Time: time.Unix(1e9+int64(i), 0),
		}
		if kind == plugin.Ended {
			e.Transport, e.Address, e.Code, e.Reason = "", "", 3006, "the connection was lost"
		}
		events = append(events, e)
	}
	everywhere(t, events, func(ctx context.Context, e plugin.SessionEvent) error {
		return onlyPanic(called(func() error { return p.ObserveSession(ctx, e) }))
	})
}

// RefusalObserver checks an observer of refusals that is ready. It is told of a kind that does not exist too.
func RefusalObserver(t *testing.T, p plugin.RefusalObserver) {
	t.Helper()
	var told []plugin.Refusal
	for _, a := range []plugin.Access{
		{Kind: plugin.Join, By: "alice", RoomID: "r", UserID: "bob"},
		{Kind: plugin.Push, Subject: "backend", Roles: []string{"service"}, Target: plugin.Target{Kind: plugin.User, ID: "alice"}},
		{Kind: plugin.Push, Target: plugin.Target{Kind: plugin.Everybody}},
		{Kind: 99, By: "alice"},
	} {
		told = append(told, plugin.Refusal{Plugin: "guard", Access: a, Reason: "you may not", Time: time.Unix(1e9, 0)})
	}
	for _, m := range messages(nil) {
		a := plugin.Access{Kind: plugin.Send, By: m.UserID, RoomID: m.RoomID, UserID: m.UserID, Role: "user"}
		told = append(told, plugin.Refusal{Plugin: "word-filter", Access: a, Message: m, Reason: "that is not said here", Time: time.Unix(1e9, 0)})
	}
	everywhere(t, told, func(ctx context.Context, r plugin.Refusal) error {
		r.Message.Content, r.Message.Metadata = slices.Clone(r.Message.Content), maps.Clone(r.Message.Metadata)
		return onlyPanic(called(func() error { return p.ObserveRefusal(ctx, r) }))
	})
}

// OfflineNotifier checks a notifier that is ready, with the notifications given and with some that any must stand: of
// messages and pushes, for one and for 500 users.
func OfflineNotifier(t *testing.T, p plugin.OfflineNotifier, also ...plugin.Notification) {
	t.Helper()
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprint("user-", i))
	}
	said := plugin.Message{ID: "m", RoomID: "r", Seq: 1, UserID: "alice", Type: plugin.Text, Content: []byte("hello"), Time: time.Unix(1e9, 0)}
	bytes := said
	bytes.Type, bytes.Content = plugin.Recording, []byte{0xff, 0xfe, 0}
	told := append([]plugin.Notification{
		{Users: []string{"bob"}, Message: &said, Time: said.Time},
		{Users: many, Mentioned: many[:3], Message: &bytes, Time: said.Time},
		{Users: []string{"bob"}, Push: &plugin.Pushed{ID: "p", Action: "mail", Title: "You have mail", Expiry: time.Unix(2e9, 0)}, Time: said.Time},
		{Users: []string{"bob"}, Push: &plugin.Pushed{ID: "p"}, Time: said.Time},
	}, also...)
	everywhere(t, told, func(ctx context.Context, n plugin.Notification) error {
		return onlyPanic(called(func() error { return p.NotifyOffline(ctx, n) }))
	})
}
