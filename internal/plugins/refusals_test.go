package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// auditor is a plugin that is told of refusals.
type auditor struct {
	mu   sync.Mutex
	told []plugin.Refusal
	wait time.Duration
}

func (*auditor) Name() string { return "auditor" }

func (a *auditor) ObserveRefusal(_ context.Context, r plugin.Refusal) error {
	time.Sleep(a.wait)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, r)
	return nil
}

// lines is what it was told, in short.
func (a *auditor) lines() (all []string) {
	for _, r := range a.told {
		all = append(all, fmt.Sprintf("%s %s by=%s service=%s room=%s user=%s target=%s %q: %s",
			r.Plugin, r.Access.Kind, r.Access.By, r.Access.Subject, r.Access.RoomID, r.Access.UserID, r.Access.Target.ID, r.Message.Content, r.Reason))
	}
	return all
}

// strict authorizes nothing that mallory does, or that is done to him.
var strict = doorman{"door", func(_ context.Context, a plugin.Access) error {
	switch {
	case a.UserID == "broken":
		return errors.New("it is out of order")
	case a.UserID == "mallory" || a.Target.ID == "mallory":
		return plugin.PermissionDenied("not mallory")
	}
	return nil
}}

// TestRefusalsAreTold: of every plugin, whatever was asked for, with what was said as the one that refused it had it; and
// nothing of what is allowed, or could not be asked about.
func TestRefusalsAreTold(t *testing.T) {
	t.Parallel()
	w := &auditor{}
	filter := interceptor{"filter", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
		switch string(m.Content) {
		case "bad!":
			return m, plugin.Refused("that is not said here")
		case "broken!":
			return m, errors.New("it is out of order")
		}
		return m, nil
	}}
	h, _ := hosted(t, nil, w, tail("!"), filter, strict)
	began := time.Now()
	for _, said := range [][2]string{{"alice", "hi"}, {"mallory", "hi"}, {"alice", "bad"}, {"alice", "broken"}, {"broken", "hi"}} {
		send(h, said[0], said[1]).outcome()
	}
	shop, ctx := biz.Identity{Subject: "shop"}, t.Context()
	for _, user := range []biz.UserID{"alice", "mallory", "broken"} {
		_ = h.Authorizer().MayJoin(ctx, shop, "r", user) // another test has what it says
	}
	h.Authorizer().MayPush(ctx, shop, []biz.Target{{Type: "user", ID: "alice"}, {Type: "user", ID: "mallory"}})
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_ = h.Authorizer().MayJoin(gone, shop, "r", "mallory") // nobody is there to be refused
	ended := time.Now()
	h.Stop()
	want := []string{
		`door send by=mallory service= room=r user=mallory target= "hi": not mallory`,
		`filter send by=alice service= room=r user=alice target= "bad!": that is not said here`,
		`door join by= service=shop room=r user=mallory target= "": not mallory`,
		`door push by= service=shop room= user= target=mallory "": not mallory`,
	}
	if got := w.lines(); !slices.Equal(got, want) {
		t.Errorf("told %q", got)
	}
	if len(w.told) < len(want) {
		return
	}
	if r := w.told[1]; r.Access.Role != "user" || r.Message.UserID != "alice" || r.Message.Type != plugin.Text || r.Time.Before(began) || r.Time.After(ended) {
		t.Errorf("told %+v", r)
	}
}

// TestRefusalsAreToldForItsRooms: an observer for some rooms hears of those, and of what is of no room.
func TestRefusalsAreToldForItsRooms(t *testing.T) {
	t.Parallel()
	w := &auditor{}
	h, _ := hosted(t, &conf.Plugin{Rooms: []string{"mine"}}, w, strict)
	by := biz.Identity{User: "eve"}
	for _, room := range []biz.RoomID{"mine", "another"} {
		_ = h.Authorizer().MayJoin(t.Context(), by, room, "mallory")
	}
	h.Authorizer().MayPush(t.Context(), by, []biz.Target{{Type: "user", ID: "mallory"}})
	h.Stop()
	if got := w.lines(); len(got) != 2 || w.told[0].Access.RoomID != "mine" || w.told[1].Access.Kind != plugin.Push {
		t.Errorf("told %q", got)
	}
}

// TestWhoIsRefusedDoesNotWait for observers of that, and what is beyond their queue is dropped and counted.
func TestWhoIsRefusedDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &auditor{wait: 100 * time.Millisecond}
		h, m := hosted(t, &conf.Plugin{Queue: 10, Deadline: durationpb.New(time.Second)}, w, strict)
		began := time.Now()
		for range 100 {
			send(h, "mallory", "hi").outcome()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the refusals took %s", took)
		}
		h.Stop()
		dropped := value(t, m, "hermod_plugin_dropped_total", "auditor", "observe_refusal")
		if n := len(w.told); n < 10 || n > 12 || dropped != float64(100-n) {
			t.Errorf("told of %d, and %v were dropped", n, dropped)
		}
	})
}
