package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// listener is a plugin that observes, and notes of whom and what it was told.
type listener struct {
	mu   sync.Mutex
	told map[string][]string // by what it is about
}

func (*listener) Name() string { return "listener" }

func (l *listener) note(about string, what any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told == nil {
		l.told = map[string][]string{}
	}
	l.told[about] = append(l.told[about], fmt.Sprint(what))
	return nil
}

func (l *listener) ObserveMessage(_ context.Context, m plugin.Message) error {
	return l.note(m.ID, "said")
}

func (l *listener) ObserveRoom(_ context.Context, e plugin.RoomEvent) error {
	return l.note(e.UserID, e.Kind)
}

func (l *listener) ObserveSession(_ context.Context, e plugin.SessionEvent) error {
	return l.note(e.SessionID, e.Kind)
}

// sampled has a node with a listener tell it of 1,000 messages, sessions and users, and returns what it heard.
func sampled(t *testing.T, share float64) map[string][]string {
	t.Helper()
	l := &listener{}
	h, m := hosted(t, &conf.Plugin{Sample: share, Queue: 100_000}, l)
	o, sessions := h.Observe(&live{}), h.Sessions()
	for i := range 1000 {
		d := said(int64(i))
		d.ID = fmt.Sprint("message-", i)
		o.Deliver(d)
		user := biz.UserID(fmt.Sprint("user-", i))
		o.Joined(biz.JoinResult{Member: biz.Member{User: user}, Fresh: true})
		o.Left("r", user)
		for _, turn := range []biz.SessionTurn{biz.SessionConnected, biz.SessionDetached, biz.SessionResumed, biz.SessionEnded} {
			sessions(biz.SessionEvent{ID: biz.SessionID(fmt.Sprint("session-", i)), Turn: turn})
		}
	}
	h.Stop()
	if dropped := value(t, m, "hermod_plugin_dropped_total", "observe_message"); dropped != 0 {
		t.Errorf("%v messages were dropped", dropped)
	}
	return l.told
}

// TestASampleIsTheSameEverywhere: what is seen is about the share, whole, and the same on all nodes.
func TestASampleIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	told := sampled(t, 0.25)
	whole := map[string]int{"message": 1, "user": 2, "session": 4}
	count := map[string]int{}
	for about, what := range told {
		kind, _, _ := strings.Cut(about, "-")
		if count[kind]++; len(what) != whole[kind] {
			t.Errorf("of %s it was told %q", about, what)
		}
	}
	for kind := range whole {
		if n := count[kind]; n < 180 || n > 320 {
			t.Errorf("of 1000 it was told of %d, by %s", n, kind)
		}
	}
	other := sampled(t, 0.25)
	for about := range told {
		if !slices.Equal(told[about], other[about]) {
			t.Errorf("another node tells %q of %s", other[about], about)
		}
	}
	more := sampled(t, 0.5)
	for about := range told {
		if more[about] == nil {
			t.Errorf("a larger share does not have %s", about)
		}
	}
	for _, all := range []float64{0, 1} {
		if n := len(sampled(t, all)); n != 3000 {
			t.Errorf("with a share of %v it was told of %d", all, n)
		}
	}
}

// TestASampleIsForObservers: a check that looks at some messages is none.
func TestASampleIsForObservers(t *testing.T) {
	t.Parallel()
	for says, p := range map[string]plugin.Plugin{
		"the plugin listener intercepts messages;": struct {
			*listener
			plugin.MessageInterceptor
		}{&listener{}, interceptor{"keyed", pass}},
		"the plugin keyed authorizes;":       doorman{"keyed", nil},
		"the plugin keyed answers actions;":  desk{"keyed", nil},
		"the plugin keyed observes nothing;": named("keyed"),
	} {
		_, err := newHostOf(t, &conf.Plugin{Name: p.Name(), Sample: 0.5}, p)
		var problems conf.Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), "plugins[0].sample: "+says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
}
