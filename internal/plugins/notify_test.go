package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/plugin"
)

// bell is a plugin that notifies by a function.
type bell struct {
	ring func(context.Context, plugin.Notification) error
}

func (bell) Name() string { return "bell" }

func (b bell) NotifyOffline(ctx context.Context, n plugin.Notification) error { return b.ring(ctx, n) }

// village is a town of members, of whom those with an upper case name are there.
type village struct{ members []biz.Member }

func inhabited(users ...string) (v village) {
	for _, u := range users {
		v.members = append(v.members, biz.Member{User: biz.UserID(u)})
	}
	return v
}

func (v village) Room(_ context.Context, id biz.RoomID) (biz.Room, error) {
	if id == "broken" {
		return biz.Room{}, errors.New("the disk is gone")
	}
	return biz.Room{ID: id, Members: len(v.members)}, nil
}

func (v village) Members(_ context.Context, _ biz.RoomID, limit int) ([]biz.Member, error) {
	return slices.Clone(v.members[:min(limit, len(v.members))]), nil
}

func (v village) Member(_ context.Context, room biz.RoomID, user biz.UserID) (biz.Member, error) {
	for _, m := range v.members {
		if m.User == user {
			return m, nil
		}
	}
	return biz.Member{}, biz.ErrNotAMember(room, user)
}

func (v village) Online(_ context.Context, users []biz.UserID) (there []biz.UserID) {
	for _, u := range users {
		if strings.ToUpper(string(u[:1])) == string(u[:1]) {
			there = append(there, u)
		}
	}
	return there
}

// rung gathers what a bell was told.
type rung struct {
	mu   sync.Mutex
	told []string
}

func (r *rung) note(n plugin.Notification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what := fmt.Sprintf("%v%v", n.Users, n.Mentioned)
	if n.Message != nil {
		what += " " + string(n.Message.Content)
	} else {
		what += " push " + n.Push.Title
	}
	r.told = append(r.told, what)
}

func (r *rung) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

// drawer is an inbox that takes everything.
type drawer struct{ biz.Inbox }

func (drawer) Store(_ context.Context, _ biz.UserID, p *biz.Push, _ time.Time, _ biz.InboxLimits) error {
	if p.Title == "full" {
		return biz.Errorf(biz.KindResourceLimit, "INBOX_FULL", "full")
	}
	return nil
}

// TestWhoIsAwayIsNotified of what was said and stored, and of pushes that were kept: nobody who is there, nor who has
// said it, and nothing that the node itself tells a room.
func TestWhoIsAwayIsNotified(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r rung
		h, m := hosted(t, nil, bell{func(_ context.Context, n plugin.Notification) error { r.note(n); return nil }})
		h.Seek(inhabited("alice", "bob", "Carol", "dave"))
		o := h.Observe(&live{})
		say := func(d *biz.Draft) {
			o.DeliverAll([]*biz.Draft{d}) // as what was stored is
			synctest.Wait()
		}
		d := said(1)
		d.Mentions = []biz.UserID{"dave", "Carol", "eve"}
		say(d)
		d = said(2)
		d.Mentions = []biz.UserID{biz.MentionAll}
		say(d)
		event := said(3)
		event.Type = biz.TypeSystem
		say(event)
		fleeting := said(0)
		say(fleeting)
		broken := said(4)
		broken.Room = "broken"
		say(broken)
		inbox := h.Keep(drawer{})
		for user, title := range map[biz.UserID]string{"Carol": "there", "bob": "full"} {
			_ = inbox.Store(t.Context(), user, &biz.Push{Title: title}, time.Time{}, biz.InboxLimits{})
		}
		_ = inbox.Store(t.Context(), "bob", &biz.Push{Title: "hi"}, time.Time{}, biz.InboxLimits{})
		synctest.Wait()
		if want := []string{"[bob dave][dave] 1", "[bob dave][bob dave] 2", "[bob][] push hi"}; !slices.Equal(r.all(), want) {
			t.Errorf("told %q, want %q", r.all(), want)
		}
		if n := value(t, m, "hermod_plugin_dropped_total", "bell", "notify_offline"); n != 1 {
			t.Errorf("%v dropped, of what could not be looked up", n)
		}
	})
}

// TestLargeRoomsNotifyTheMentioned, and everybody in rooms that are not, 500 by one call.
func TestLargeRoomsNotifyTheMentioned(t *testing.T) {
	t.Parallel()
	for members, want := range map[int][]int{1100: {500, 500, 100}, 5001: {1}} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var sizes []int
			h, _ := hosted(t, &conf.Plugin{Concurrency: 1}, bell{func(_ context.Context, n plugin.Notification) error {
				mu.Lock()
				defer mu.Unlock()
				sizes = append(sizes, len(n.Users))
				return nil
			}})
			var users []string
			for i := range members {
				users = append(users, fmt.Sprint("user-", i))
			}
			h.Seek(inhabited(users...))
			d := said(1)
			d.Mentions = []biz.UserID{"user-7", "stranger"}
			h.Observe(&live{}).Deliver(d)
			synctest.Wait()
			if !slices.Equal(sizes, want) {
				t.Errorf("%d members: told of %v", members, sizes)
			}
		})
	}
}

// TestNotificationsOfOneUserKeepTheirOrder, though others do not wait for them.
func TestNotificationsOfOneUserKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r rung
		h, _ := hosted(t, &conf.Plugin{Deadline: durationpb.New(time.Minute)}, bell{func(_ context.Context, n plugin.Notification) error {
			if n.Push.Title == "slow" {
				time.Sleep(time.Second)
			}
			r.note(n)
			return nil
		}})
		h.Seek(inhabited())
		inbox := h.Keep(drawer{})
		for _, p := range [][2]string{{"alice", "slow"}, {"bob", "quick"}, {"alice", "next"}, {"bob", "last"}} {
			_ = inbox.Store(t.Context(), biz.UserID(p[0]), &biz.Push{Title: p[1]}, time.Time{}, biz.InboxLimits{})
		}
		time.Sleep(time.Minute)
		got := r.all()
		of := func(user string) (titles string) {
			for _, g := range got {
				if strings.HasPrefix(g, "["+user) {
					titles += g[strings.LastIndex(g, " "):]
				}
			}
			return titles
		}
		if of("alice") != " slow next" || of("bob") != " quick last" || got[0] != "[bob][] push quick" {
			t.Errorf("told %q", got)
		}
	})
}

// TestNotifierThatIsUnavailable is asked again after the time that it asked for, three times, and no more.
func TestNotifierThatIsUnavailable(t *testing.T) {
	t.Parallel()
	for works, want := range map[int]int{3: 3, 99: 4} {
		synctest.Test(t, func(t *testing.T) {
			tries, began := 0, time.Now()
			h, m := hosted(t, &conf.Plugin{Failures: 1000}, bell{func(context.Context, plugin.Notification) error {
				if tries++; tries < works {
					return &plugin.Error{Kind: plugin.KindUnavailable, Reason: "later", RetryAfter: 5 * time.Second}
				}
				if time.Since(began) != 10*time.Second {
					t.Errorf("after %s", time.Since(began))
				}
				return nil
			}})
			h.Seek(inhabited())
			_ = h.Keep(drawer{}).Store(t.Context(), "alice", &biz.Push{}, time.Time{}, biz.InboxLimits{})
			time.Sleep(time.Hour)
			dropped := value(t, m, "hermod_plugin_dropped_total", "bell", "notify_offline")
			if tries != want || (dropped == 1) != (want == 4) {
				t.Errorf("%d tries, %v dropped", tries, dropped)
			}
		})
	}
}

// TestNotifiersNeverHoldASenderUp: one that hangs is given up, what waits beyond its queue is dropped and counted,
// and a node stops all the same.
// TestWhoWaitsHoldsUpNobodyElse: what is for a user whose call is made again waits for him, with what others among those users are
// told later, and nothing else does. What waits so is bounded.
func TestWhoWaitsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r rung
		h, m := hosted(t, &conf.Plugin{Failures: 1000, Queue: 5}, bell{func(_ context.Context, n plugin.Notification) error {
			if n.Push != nil && n.Push.Title == "throttled" {
				return &plugin.Error{Kind: plugin.KindUnavailable, Reason: "later", RetryAfter: time.Minute}
			}
			r.note(n)
			return nil
		}})
		h.Seek(inhabited("alice", "bob"))
		inbox, room := h.Keep(drawer{}), h.Observe(&live{})
		push := func(user biz.UserID, title string) {
			_ = inbox.Store(t.Context(), user, &biz.Push{Title: title}, time.Time{}, biz.InboxLimits{})
			synctest.Wait()
		}
		push("alice", "throttled")
		push("alice", "second")
		room.Deliver(&biz.Draft{Message: biz.Message{Room: "r", Seq: 1, Sender: "zoe", Type: biz.TypeText, Content: []byte("both")}})
		synctest.Wait()
		push("bob", "behind")
		push("carl", "first")
		if got := r.all(); !slices.Equal(got, []string{"[carl][] push first"}) {
			t.Errorf("told %q", got)
		}
		for range 5 { // of which two have a place
			push("alice", "more")
		}
		push("carl", "second")
		if dropped := value(t, m, "hermod_plugin_dropped_total", "bell", "notify_offline"); dropped != 3 || len(r.all()) != 2 {
			t.Errorf("%v dropped, told %q", dropped, r.all())
		}
		time.Sleep(time.Hour)
		got := r.all()[1:]
		want := []string{"[carl][] push second", "[alice][] push second", "[alice bob][] both", "[bob][] push behind", "[alice][] push more", "[alice][] push more"}
		if len(got) != len(want) {
			t.Fatalf("told %q", got)
		}
		order := func(user string) (told []string) {
			for _, g := range got {
				if users, _, _ := strings.Cut(g, "]"); strings.Contains(users, user) {
					told = append(told, g)
				}
			}
			return told
		}
		if !slices.Equal(order("alice"), []string{want[1], want[2], want[4], want[5]}) || !slices.Equal(order("bob"), []string{want[2], want[3]}) {
			t.Errorf("told %q", got)
		}
	})
}

func TestNotifiersNeverHoldASenderUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h, m := hosted(t, &conf.Plugin{Concurrency: 2, Queue: 10, Deadline: durationpb.New(time.Minute)}, bell{func(context.Context, plugin.Notification) error {
			<-release
			return nil
		}})
		h.Seek(inhabited("alice", "bob"))
		o, at := h.Observe(&live{}), time.Now()
		for i := range 100 {
			o.Deliver(said(int64(i + 1)))
		}
		synctest.Wait()
		if time.Since(at) != 0 {
			t.Errorf("senders were held up for %s", time.Since(at))
		}
		if n := value(t, m, "hermod_plugin_dropped_total", "bell", "notify_offline"); n < 80 || n > 90 {
			t.Errorf("%v dropped", n)
		}
		h.Stop()
		if took := time.Since(at); took > 11*time.Second {
			t.Errorf("stopped after %s", took)
		}
		close(release)
		time.Sleep(time.Hour)
	})
}

var _ plugins.Town = village{}
