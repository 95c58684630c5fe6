package plugins_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/plugin"
)

// sendTo has the host decide about a message in a room.
func sendTo(h *plugins.Host, room, user, text string) *sent {
	s := &sent{at: time.Now(), done: make(chan struct{}), draft: &biz.Draft{Message: biz.Message{
		Room: biz.RoomID(room), Sender: biz.UserID(user), Type: biz.TypeText, Content: []byte(text),
	}}}
	h.Interceptor().Intercept(s.draft, biz.Speaker{By: biz.Identity{User: s.draft.Sender}}, fits, func(err error) {
		s.took, s.err = time.Since(s.at), err
		close(s.done)
	})
	return s
}

// TestAPluginForSomeRooms is neither asked about others nor told of them, as interceptor, authorizer and observer.
func TestAPluginForSomeRooms(t *testing.T) {
	t.Parallel()
	rooms := &conf.Plugin{Rooms: []string{"lobby", "team-*"}}
	h, _ := hosted(t, rooms, tail("-a"), doorman{"door", func(_ context.Context, a plugin.Access) error {
		if a.UserID == "mallory" || a.Kind == plugin.Push {
			return plugin.Refused("no")
		}
		return nil
	}})
	for room, mine := range map[string]bool{"lobby": true, "team-1": true, "team-": true, "lobby-2": false, "my-team-1": false, "": false} {
		want, refused := "hi", "hi"
		if mine {
			want, refused = "hi-a", "NOT_AUTHORIZED"
		}
		if got := sendTo(h, room, "alice", "hi").outcome(); got != want {
			t.Errorf("%q: got %q, want %q", room, got, want)
		}
		if got := sendTo(h, room, "mallory", "hi").outcome(); got != refused {
			t.Errorf("%q: got %q, want %q", room, got, refused)
		}
		if err := h.Authorizer().MayJoin(t.Context(), biz.Identity{User: "mallory"}, biz.RoomID(room), "mallory"); room != "" && mine == (err == nil) {
			t.Errorf("%q: joining: %v", room, err)
		}
	}
	if err := h.Authorizer().MayBroadcast(t.Context(), biz.Identity{User: "alice"}); err == nil {
		t.Error("a push is of no room, and it was not asked")
	}
	w := &witness{}
	h, _ = hosted(t, rooms, w)
	o := h.Observe(&live{})
	for i, room := range []biz.RoomID{"lobby", "other", "team-9"} {
		d := said(int64(i))
		d.Room = room
		o.Deliver(d)
		o.Left(room, "alice")
	}
	h.Stop()
	if want := []string{"0", "left alice ", "2", "left alice "}; !slices.Equal(w.told, want) {
		t.Errorf("told %q", w.told)
	}
}

// TestRoomsWithoutThePluginAreNotHeldUp: while all that is said in one room hangs, and all places of the plugin are
// taken, what is said in the others is decided.
func TestRoomsWithoutThePluginAreNotHeldUp(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 100), make(chan struct{})
	h, _ := hosted(t, &conf.Plugin{Rooms: []string{"room-0"}, Deadline: durationpb.New(time.Minute), Concurrency: 8},
		interceptor{"hanger", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
			entered <- struct{}{}
			<-release
			return m, nil
		}})
	var hang []*sent
	for i := range 100 {
		hang = append(hang, sendTo(h, "room-0", fmt.Sprint("user-", i), "hi"))
	}
	for range 8 {
		<-entered
	}
	var all sync.WaitGroup
	for i := range 25 {
		all.Go(func() {
			for range 100 {
				if got := sendTo(h, fmt.Sprint("room-", 1+i), fmt.Sprint("user-", i), "hi").outcome(); got != "hi" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	all.Wait() // a minute would be too long for what hangs
	close(release)
	for _, s := range hang {
		if got := s.outcome(); got != "hi" {
			t.Fatalf("what hung got %q, after %s", got, s.took)
		}
	}
}
