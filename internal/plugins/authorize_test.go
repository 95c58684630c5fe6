package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// doorman is a plugin that authorizes by a function.
type doorman struct {
	name string
	ask  func(context.Context, plugin.Access) error
}

func (d doorman) Name() string { return d.name }

func (d doorman) Authorize(ctx context.Context, a plugin.Access) error { return d.ask(ctx, a) }

// TestAuthorizersComeFirst: all of them before the first interceptor, whatever the order of the list, and what one
// refuses nobody else is asked about.
func TestAuthorizersComeFirst(t *testing.T) {
	t.Parallel()
	var seen plugin.Access
	intercepted := atomic.Int32{}
	count := interceptor{"count", func(_ context.Context, m plugin.Message) (plugin.Message, error) {
		intercepted.Add(1)
		return m, nil
	}}
	h, m := hosted(t, nil, count, doorman{"door", func(_ context.Context, a plugin.Access) error {
		seen = a
		if a.UserID == "mallory" {
			return plugin.PermissionDenied("not %s", a.UserID)
		}
		return nil
	}})
	s := send(h, "mallory", "hi")
	if got := s.outcome(); got != "NOT_AUTHORIZED" || s.err.Error() != "not mallory" || biz.KindOf(s.err) != biz.KindPermissionDenied {
		t.Errorf("got %q, %v", got, s.err)
	}
	if intercepted.Load() != 0 {
		t.Error("an interceptor was asked about what is refused")
	}
	if got := send(h, "alice", "hi").outcome(); got != "hi" || intercepted.Load() != 1 {
		t.Errorf("got %q", got)
	}
	if seen.Kind != plugin.Send || seen.RoomID != "r" || seen.UserID != "alice" || seen.By != "alice" || seen.Role != "user" {
		t.Errorf("asked about %+v", seen)
	}
	if value(t, m, "hermod_plugin_calls_total", "door", "authorize", "refused") != 1 {
		t.Error("the refusal is not counted")
	}
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return biz.AsError(err).Reason
}

// TestAuthorizersDecideAboutJoins, and about pushes, and say who asks for what.
func TestAuthorizersDecideAboutJoins(t *testing.T) {
	t.Parallel()
	asked := make(chan plugin.Access, 10)
	h, _ := hosted(t, nil, doorman{"door", func(_ context.Context, a plugin.Access) error {
		asked <- a
		if a.UserID == "mallory" || a.Target.Kind == plugin.Everybody {
			return plugin.Refused("no")
		}
		return nil
	}})
	who, by := h.Authorizer(), biz.Identity{User: "desk", Roles: []string{"service"}, Subject: "backend"}
	if err := who.MayJoin(t.Context(), by, "r", "mallory"); reasonOf(err) != "NOT_AUTHORIZED" || err.Error() != "no" {
		t.Errorf("got %v", err)
	}
	if a := <-asked; a.Kind != plugin.Join || a.RoomID != "r" || a.UserID != "mallory" || a.By != "desk" || a.Subject != "backend" || !slices.Equal(a.Roles, by.Roles) {
		t.Errorf("asked about %+v", a)
	}
	if err := who.MayJoin(t.Context(), by, "r", "alice"); err != nil {
		t.Errorf("got %v", err)
	}
	<-asked
	if err := who.MayBroadcast(t.Context(), by); reasonOf(err) != "NOT_AUTHORIZED" {
		t.Errorf("got %v", err)
	}
	if a := <-asked; a.Kind != plugin.Push || a.Target != (plugin.Target{Kind: plugin.Everybody}) {
		t.Errorf("asked about %+v", a)
	}
}

// TestABatchIsAskedAboutOnce for each target that is in it, and has the answers in their order.
func TestABatchIsAskedAboutOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	h, _ := hosted(t, nil,
		doorman{"odd", func(_ context.Context, a plugin.Access) error {
			asked.Add(1)
			if strings.HasSuffix(a.Target.ID, "7") {
				return plugin.Refused("not %s", a.Target.ID)
			}
			return nil
		}},
		doorman{"groups", func(_ context.Context, a plugin.Access) error {
			if a.Target.Kind == plugin.Group {
				return plugin.Refused("no groups")
			}
			return nil
		}})
	var to []biz.Target
	for i := range 1000 {
		to = append(to, biz.Target{Type: "openid", ID: fmt.Sprint(i % 500)})
	}
	to = append(to, biz.Target{Type: "gid", ID: "1"})
	answers := h.Authorizer().MayPush(t.Context(), biz.Identity{}, to)
	if asked.Load() != 501 || len(answers) != len(to) {
		t.Fatalf("asked %d times, got %d answers", asked.Load(), len(answers))
	}
	for i, err := range answers[:1000] {
		if refused := strings.HasSuffix(to[i].ID, "7"); refused != (err != nil) || refused && err.Error() != "not "+to[i].ID {
			t.Errorf("%s: got %v", to[i].ID, err)
		}
	}
	if err := answers[1000]; err == nil || err.Error() != "no groups" {
		t.Errorf("got %v", err)
	}
	if answers := h.Authorizer().MayPush(t.Context(), biz.Identity{}, to[:2]); answers != nil {
		t.Errorf("got %v where all is allowed", answers)
	}
}

// TestAuthorizerThatSleeps: whoever asks has the policy's answer within the deadline, which a batch has once for all
// its targets, and calls that hang are bounded.
func TestAuthorizerThatSleeps(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{conf.OnFailureClosed: "PLUGIN_UNAVAILABLE", conf.OnFailureOpen: ""} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, _ := hosted(t, &conf.Plugin{Deadline: durationpb.New(200 * time.Millisecond), OnFailure: policy, Concurrency: 2, Failures: 1000},
					doorman{"sleeper", func(context.Context, plugin.Access) error {
						time.Sleep(10 * time.Second) // whatever ctx says
						return nil
					}})
				at := time.Now()
				if got := reasonOf(h.Authorizer().MayJoin(t.Context(), biz.Identity{}, "r", "alice")); got != want || time.Since(at) != 200*time.Millisecond {
					t.Errorf("got %q after %s", got, time.Since(at))
				}
				at = time.Now()
				to := make([]biz.Target, 50)
				for i := range to {
					to[i] = biz.Target{Type: "openid", ID: fmt.Sprint(i)}
				}
				answers := h.Authorizer().MayPush(t.Context(), biz.Identity{}, to)
				if time.Since(at) > 200*time.Millisecond {
					t.Errorf("a batch took %s", time.Since(at))
				}
				for i := range to {
					if want == "" && answers != nil || want != "" && reasonOf(answers[i]) != want {
						t.Fatalf("got %v", answers)
					}
				}
				if got := send(h, "alice", "hi").outcome(); got != want && got != "hi" {
					t.Errorf("got %q", got)
				}
				time.Sleep(time.Minute) // all that hung come back
			})
		})
	}
}

// TestCallerOfAnAuthorizerGoesAway: nobody waits for the plugin any more, and that is no fault of its.
func TestCallerOfAnAuthorizerGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, m := hosted(t, &conf.Plugin{Deadline: durationpb.New(time.Minute), Failures: 1}, doorman{"waits", func(ctx context.Context, _ plugin.Access) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Authorizer().MayJoin(ctx, biz.Identity{}, "r", "alice"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if value(t, m, "hermod_plugin_left_alone", "waits") == 1 || value(t, m, "hermod_plugin_calls_total", "failed") > 0 {
			t.Error("it counts as a failure")
		}
	})
}

// TestAuthorizerThatPanics fails by its policy and serves on.
func TestAuthorizerThatPanics(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	h, _ := hosted(t, nil, doorman{"panics", func(context.Context, plugin.Access) error {
		if calls.Add(1)%2 == 1 {
			panic("oh")
		}
		return nil
	}})
	for i := range 10 {
		want := ""
		if i%2 == 0 {
			want = "PLUGIN_UNAVAILABLE"
		}
		if got := reasonOf(h.Authorizer().MayJoin(t.Context(), biz.Identity{}, "r", "alice")); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
