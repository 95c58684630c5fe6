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

// witness is a plugin that observes all there is.
type witness struct {
	mu   sync.Mutex
	told []string
	wait func(ctx context.Context, what string) error
}

func (*witness) Name() string { return "witness" }

func (w *witness) ObserveMessage(ctx context.Context, m plugin.Message) error {
	return w.tell(ctx, string(m.Content))
}

func (w *witness) ObserveRoom(ctx context.Context, e plugin.RoomEvent) error {
	return w.tell(ctx, fmt.Sprint(e.Kind, " ", e.UserID, " ", e.Role))
}

func (w *witness) tell(ctx context.Context, what string) error {
	if w.wait != nil {
		if err := w.wait(ctx, what); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, what)
	return nil
}

func said(seq int64) *biz.Draft {
	return &biz.Draft{Message: biz.Message{ID: "m", Room: "r", Seq: seq, Sender: "alice", Type: biz.TypeText, Content: []byte(fmt.Sprint(seq))}}
}

// TestObserversAreToldInOrder of what was stored, of who joined and left, and of nothing else.
func TestObserversAreToldInOrder(t *testing.T) {
	t.Parallel()
	w := &witness{}
	h, _ := hosted(t, nil, w)
	l := &live{}
	o := h.Observe(l)
	member := biz.Member{User: "alice", Role: biz.RoleAdmin}
	o.Joined(biz.JoinResult{Member: member, Fresh: true})
	o.Joined(biz.JoinResult{Member: member})
	for i := range 50 {
		o.Deliver(said(int64(i)))
	}
	o.Sequence(&biz.Draft{Message: biz.Message{Content: []byte("live")}}, func(error) {})
	o.Sequence(&biz.Draft{Message: biz.Message{Content: []byte("lost")}}, func(error) {})
	o.Left("r", "alice")
	o.Dismiss("bob", &biz.Message{Room: "r"})
	h.Stop()
	want := []string{"joined alice admin"}
	for i := range 50 {
		want = append(want, fmt.Sprint(i))
	}
	if want = append(want, "live", "left alice ", "left bob "); !slices.Equal(w.told, want) {
		t.Errorf("told %q", w.told)
	}
	if len(l.given) != 56 {
		t.Errorf("%d were delivered", len(l.given))
	}
}

// TestObserversNeverHoldASenderUp: one that hangs is given up, what is beyond its queue is dropped and
// counted, and when it works again it is told of what happens then.
func TestObserversNeverHoldASenderUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &witness{wait: func(_ context.Context, what string) error {
			if what == "0" || what == "1" {
				time.Sleep(10 * time.Second)
			}
			return nil
		}}
		h, m := hosted(t, &conf.Plugin{Queue: 10, Failures: 2, Deadline: durationpb.New(time.Second)}, w)
		o := h.Observe(&live{})
		began := time.Now()
		for i := range 100 {
			o.Deliver(said(int64(i)))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("delivering took %s", took)
		}
		time.Sleep(13 * time.Second)
		dropped := value(t, m, "hermod_plugin_dropped_total", "witness", "observe_message")
		if late := value(t, m, "hermod_plugin_calls_total", "late"); late != 2 || dropped != 98 {
			t.Errorf("%v were late and %v dropped", late, dropped)
		}
		o.Deliver(said(100))
		h.Stop()
		if want := []string{"0", "1", "100"}; !slices.Equal(w.told, want) {
			t.Errorf("told %q", w.told)
		}
	})
}

// TestWhatWaitsIsToldBeforeTheEnd of a node, unless it takes too long.
func TestWhatWaitsIsToldBeforeTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &witness{wait: func(ctx context.Context, _ string) error {
			select {
			case <-time.After(400 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return errors.New("late")
			}
		}}
		h, _ := hosted(t, nil, w)
		o := h.Observe(&live{})
		for i := range 20 {
			o.Deliver(said(int64(i)))
		}
		began := time.Now()
		if h.Stop(); time.Since(began) != 5*time.Second {
			t.Errorf("it took %s", time.Since(began))
		}
		w.mu.Lock()
		if len(w.told) != 12 {
			t.Errorf("told %q", w.told)
		}
		w.mu.Unlock()
		time.Sleep(time.Minute)
	})
}
