package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

func TestInterceptorsAreAskedInOrder(t *testing.T) {
	t.Parallel()
	asked := atomic.Int32{}
	refuser := interceptor{"refuser", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
		asked.Add(1)
		if strings.HasPrefix(string(m.Content), "bad") {
			return m, plugin.Refused("not %s", m.UserID)
		}
		return m, nil
	}}
	h, m := hosted(t, nil, tail("-a"), refuser, tail("-b"))
	if got := send(h, "alice", "hi").outcome(); got != "hi-a-b" {
		t.Errorf("got %q", got)
	}
	s := send(h, "alice", "bad")
	if got := s.outcome(); got != "MESSAGE_REFUSED" || s.err.Error() != "not alice" || biz.KindOf(s.err) != biz.KindPermissionDenied {
		t.Errorf("got %q, %v", got, s.err)
	}
	if asked.Load() != 2 || value(t, m, "hermod_plugin_calls_total", "-b", "ok") != 1 || value(t, m, "hermod_plugin_calls_total", "refuser", "refused") != 1 {
		t.Error("a refused message went on, or is not counted")
	}
}

// TestWhatWasSentStaysKnown, whoever changes it: a repetition is recognised by it.
func TestWhatWasSentStaysKnown(t *testing.T) {
	t.Parallel()
	h, _ := hosted(t, nil, tail("-a"), tail("-b"))
	s := send(h, "alice", "hi")
	if s.outcome() != "hi-a-b" || s.draft.Sent == nil || string(s.draft.Sent.Content) != "hi" {
		t.Errorf("got %+v", s.draft)
	}
	h, _ = hosted(t, nil, interceptor{"pass", pass})
	if s = send(h, "alice", "hi"); s.outcome() != "hi" || s.draft.Sent != nil {
		t.Errorf("got %+v", s.draft)
	}
}

// TestInterceptorThatSleeps: senders get the policy's answer within the deadline, calls that hang are
// bounded, and after a few of them nobody waits any more until one call has shown that it works again.
func TestInterceptorThatSleeps(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{conf.OnFailureClosed: "PLUGIN_UNAVAILABLE", conf.OnFailureOpen: "hi"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { sleeping(t, policy, want) })
		})
	}
}

func sleeping(t *testing.T, policy, want string) {
	t.Helper()
	const deadline, places = 200 * time.Millisecond, 3
	var running, most atomic.Int32
	asleep := atomic.Bool{}
	asleep.Store(true)
	h, m := hosted(t, &conf.Plugin{
		Deadline: durationpb.New(deadline), OnFailure: policy, Concurrency: places, Failures: 5, RetryAfter: durationpb.New(time.Minute),
	}, interceptor{"sleeper", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		if asleep.Load() {
			time.Sleep(10 * time.Second) // whatever ctx says
		}
		return m, nil
	}})
	var all []*sent
	for i := range 40 {
		all = append(all, send(h, fmt.Sprint("user-", i%10), "hi"))
	}
	for _, s := range all {
		if got := s.outcome(); got != want || s.took > deadline {
			t.Errorf("got %q after %s", got, s.took)
		}
	}
	if n := most.Load(); n != places {
		t.Errorf("%d calls at once", n)
	}
	if s := send(h, "alice", "hi"); s.outcome() != want || s.took != 0 {
		t.Errorf("got %q after %s, though the plugin is left alone", s.outcome(), s.took)
	}
	if value(t, m, "hermod_plugin_left_alone", "sleeper") != 1 || value(t, m, "hermod_plugin_running", "sleeper") != places ||
		value(t, m, "hermod_plugin_calls_total", "late") != places {
		t.Error("the metrics do not tell")
	}
	asleep.Store(false)
	time.Sleep(time.Minute + time.Second)
	if got := send(h, "alice", "again").outcome(); got != "again" {
		t.Errorf("got %q when it was to be tried again", got)
	}
	if got := send(h, "bob", "and again").outcome(); got != "and again" || value(t, m, "hermod_plugin_left_alone", "sleeper") != 0 {
		t.Errorf("got %q when it worked again", got)
	}
}

// TestACallThatHangsForEver keeps its place, and all others get their answers.
func TestACallThatHangsForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h, m := hosted(t, &conf.Plugin{Concurrency: 2, Failures: 1000, Deadline: usual}, interceptor{"hanger", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
			if string(m.Content) == "hang" {
				<-release
			}
			return m, nil
		}})
		hung := send(h, "mallory", "hang")
		for i := range 50 {
			if got := send(h, fmt.Sprint("user-", i), "hi").outcome(); got != "hi" {
				t.Errorf("got %q", got)
			}
		}
		if got := hung.outcome(); got != "PLUGIN_UNAVAILABLE" || hung.took != 500*time.Millisecond {
			t.Errorf("got %q after %s", got, hung.took)
		}
		if n := value(t, m, "hermod_plugin_running", "hanger"); n != 1 {
			t.Errorf("%v calls run", n)
		}
		close(release)
		synctest.Wait()
		if n := value(t, m, "hermod_plugin_running", "hanger"); n != 0 {
			t.Errorf("%v calls run when all are back", n)
		}
	})
}

func TestInterceptorThatPanicsEverySecondTime(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	h, m := hosted(t, nil, interceptor{"panicker", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
		if n.Add(1)%2 == 0 {
			panic("oh")
		}
		return m, nil
	}}, interceptor{"other", pass})
	for i := range 20 {
		want := map[bool]string{true: "PLUGIN_UNAVAILABLE", false: "hi"}[i%2 == 1]
		if got := send(h, "alice", "hi").outcome(); got != want {
			t.Errorf("message %d: got %q, want %q", i, got, want)
		}
	}
	if value(t, m, "hermod_plugin_calls_total", "panicker", "panicked") != 10 || value(t, m, "hermod_plugin_calls_total", "other", "ok") != 10 {
		t.Error("the metrics do not tell")
	}
}

// TestInterceptorThatReturnsGarbage: nothing of it is stored or told.
func TestInterceptorThatReturnsGarbage(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(m plugin.Message) (plugin.Message, error){
		"nothing":          func(plugin.Message) (plugin.Message, error) { return plugin.Message{}, nil },
		"another room":     func(m plugin.Message) (plugin.Message, error) { m.RoomID = "other"; return m, nil },
		"another sender":   func(m plugin.Message) (plugin.Message, error) { m.UserID = "bob"; return m, nil },
		"another type":     func(m plugin.Message) (plugin.Message, error) { m.Type = plugin.System; return m, nil },
		"a place":          func(m plugin.Message) (plugin.Message, error) { m.Seq = 7; return m, nil },
		"too much":         func(m plugin.Message) (plugin.Message, error) { m.Content = make([]byte, 101); return m, nil },
		"no reason":        func(m plugin.Message) (plugin.Message, error) { return m, plugin.Refused("") },
		"a long reason":    func(m plugin.Message) (plugin.Message, error) { return m, plugin.Refused("%02000d", 0) },
		"a reason of junk": func(m plugin.Message) (plugin.Message, error) { return m, plugin.Refused("\xff") },
		"an error":         func(m plugin.Message) (plugin.Message, error) { return m, errors.New("disk full") },
		"unavailable":      func(m plugin.Message) (plugin.Message, error) { return m, plugin.Unavailable("later", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for policy, want := range map[string]string{conf.OnFailureClosed: "PLUGIN_UNAVAILABLE", conf.OnFailureOpen: "hi-b"} {
				h, m := hosted(t, &conf.Plugin{OnFailure: policy}, interceptor{"garbage", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
					return ask(m)
				}}, tail("-b"))
				if got := send(h, "alice", "hi").outcome(); got != want {
					t.Errorf("%s: got %q, want %q", policy, got, want)
				}
				if value(t, m, "hermod_plugin_calls_total", "garbage", "failed") != 1 {
					t.Error("it is not counted")
				}
			}
		})
	}
}

// TestAPluginThatKeepsWhatItIsGiven cannot change what is stored.
func TestAPluginThatKeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	var kept [][]byte
	h, _ := hosted(t, nil, interceptor{"keeper", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
		kept = append(kept, m.Content)
		if string(m.Content) == "change" {
			m.Content = []byte("changed")
			kept = append(kept, m.Content)
		}
		return m, nil
	}})
	for text, want := range map[string]string{"same": "same", "change": "changed"} {
		s := send(h, "alice", text)
		<-s.done
		for _, content := range kept {
			clear(content)
		}
		if got := s.outcome(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestOrderIsKept: verdicts of one sender come in the order of his messages, one at a time, though
// calls for them run at once and end as they like.
func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		h, _ := hosted(t, &conf.Plugin{Concurrency: 8, Failures: 10_000, OnFailure: conf.OnFailureOpen}, interceptor{"dawdler", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
			mu.Lock()
			d := time.Duration(random.IntN(600)) * time.Millisecond // some are late
			mu.Unlock()
			time.Sleep(d)
			return m, nil
		}})
		got := map[biz.UserID][]string{}
		busy := map[biz.UserID]*atomic.Bool{"alice": {}, "bob": {}}
		var want []string
		var all sync.WaitGroup
		for i := range 100 {
			want = append(want, fmt.Sprint(i))
			for user := range busy {
				all.Add(1)
				d := &biz.Draft{Message: biz.Message{Room: "r", Sender: user, Type: biz.TypeText, Content: []byte(fmt.Sprint(i))}}
				h.Interceptor().Intercept(d, biz.Speaker{}, fits, func(error) {
					defer all.Done()
					if busy[user].Swap(true) {
						t.Error("two verdicts for one sender at once")
					}
					mu.Lock()
					got[user] = append(got[user], string(d.Content))
					mu.Unlock()
					busy[user].Store(false)
				})
			}
			time.Sleep(5 * time.Millisecond)
		}
		all.Wait()
		time.Sleep(time.Second) // the last of those that were late come back
		for user := range busy {
			if !slices.Equal(got[user], want) {
				t.Errorf("%s: %v", user, got[user])
			}
		}
	})
}

// TestTooMuchWaits: what waits for a plugin is bounded, and the rest is refused at once.
func TestTooMuchWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := hosted(t, &conf.Plugin{Concurrency: 1, Failures: 10_000, Deadline: durationpb.New(time.Minute)}, interceptor{"slow", func(ctx context.Context, m plugin.Message) (plugin.Message, error) {
			<-ctx.Done()
			return m, ctx.Err()
		}})
		var all []*sent
		refused := 0
		for range 17_000 {
			time.Sleep(time.Microsecond) // deadlines of one instant crash the race detector: golang/go#78156
			s := send(h, "alice", "hi")
			all = append(all, s)
			select {
			case <-s.done:
				refused++
				if s.outcome() != "PLUGINS_OVERLOADED" {
					t.Fatalf("got %q", s.outcome())
				}
			default:
			}
		}
		if refused != 17_000-16<<10 {
			t.Errorf("%d were refused", refused)
		}
		for _, s := range all {
			if s.outcome(); s.took > time.Minute {
				t.Fatalf("an answer came after %s", s.took)
			}
		}
		if got := send(h, "alice", "hi"); got.outcome() != "PLUGIN_UNAVAILABLE" {
			t.Errorf("got %q when nothing waits any more", got.outcome())
		}
	})
}

// TestContextOfACall ends at the deadline, and when the call is back.
func TestContextOfACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var kept context.Context
		h, _ := hosted(t, &conf.Plugin{Deadline: usual}, interceptor{"keeper", func(ctx context.Context, m plugin.Message) (plugin.Message, error) {
			if kept = ctx; string(m.Content) == "wait" {
				own, cancel := context.WithCancel(ctx)
				defer cancel()
				<-own.Done()
				return m, own.Err()
			}
			return m, nil
		}})
		s := send(h, "alice", "wait")
		if s.outcome() != "PLUGIN_UNAVAILABLE" || s.took != 500*time.Millisecond || !errors.Is(kept.Err(), context.DeadlineExceeded) {
			t.Errorf("got %q after %s, %v", s.outcome(), s.took, kept.Err())
		}
		if send(h, "alice", "hi").outcome() != "hi" || !errors.Is(kept.Err(), context.Canceled) {
			t.Errorf("the context has %v", kept.Err())
		}
		<-kept.Done()
	})
}
