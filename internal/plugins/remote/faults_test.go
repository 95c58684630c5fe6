package remote_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/internal/plugins/remote"
	"github.com/game-im/hermod/plugin"
)

// value is what a metric of the plugins that run outside says.
func value(t *testing.T, m *remote.Plugins, family string) float64 {
	t.Helper()
	for _, c := range m.Collectors() {
		found := make(chan prometheus.Metric, 10)
		go func() {
			defer close(found)
			c.Collect(found)
		}()
		for one := range found {
			var d dto.Metric
			if strings.Contains(one.Desc().String(), `"`+family+`"`) && one.Write(&d) == nil {
				return d.GetCounter().GetValue() + d.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// restless are the settings of a plugin that is never left alone for long.
func restless(t testing.TB, role string) *conf.Plugin {
	c := as(t, role, nil)
	c.RetryAfter = durationpb.New(time.Millisecond)
	return c
}

// TestSleepingProcess: senders get the policy's answer at the deadline from one that sleeps for ten
// seconds, and everybody else is served meanwhile.
func TestSleepingProcess(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{conf.OnFailureClosed: "PLUGIN_UNAVAILABLE", conf.OnFailureOpen: "sleep"} {
		c := restless(t, "talker")
		c.Deadline, c.OnFailure = durationpb.New(200*time.Millisecond), policy
		n := open(t, nil, c)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				got, took := n.say("r", "sleep")
				if got != want || took >= 5*time.Second {
					t.Errorf("%s: got %q after %s", policy, got, took)
				}
			})
		}
		all.Wait()
		await(t, "a call that works beside those that sleep", func() bool { return n.text("other", "hi") == "hi" })
	}
}

// TestCancelledOutOfProcess: the context of a call ends in the process as it does in the node.
func TestCancelledOutOfProcess(t *testing.T) {
	t.Parallel()
	n := open(t, nil, as(t, "talker", nil))
	p := of[plugin.MessageInterceptor](t, n)
	for range 15 { // 1,500 calls, more than may be unanswered: those that wait in the process come back
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := p.InterceptMessage(ctx, plugin.Message{Content: []byte("wait")}); err == nil {
				t.Fatal("it does not wait")
			}
			cancel()
		}
		// What is answered now was read after those that were given up.
		if _, err := p.InterceptMessage(t.Context(), plugin.Message{Content: []byte("hi")}); err != nil {
			t.Fatal(err)
		}
	}
	if got := value(t, n.metrics, "hermod_plugin_connects_total"); got != 1 {
		t.Errorf("connected %v times", got)
	}
}

func TestPanickingProcess(t *testing.T) {
	t.Parallel()
	n := open(t, nil, restless(t, "talker"))
	outcomes := map[string]int{}
	for range 20 {
		outcomes[n.text("r", "panic")]++
	}
	if outcomes["panic"] != 10 || outcomes["PLUGIN_UNAVAILABLE"] != 10 {
		t.Errorf("got %v", outcomes)
	}
	if got := value(t, n.metrics, "hermod_plugin_connects_total"); got != 1 {
		t.Errorf("it does not survive: connected %v times", got)
	}
	await(t, "the stack in the log", func() bool { return strings.Contains(n.log.String(), "scene_test.go") })
}

// TestProcessThatReturnsGarbage: whatever it says, senders get the policy's answer within the deadline, and
// what can go on goes on.
func TestProcessThatReturnsGarbage(t *testing.T) {
	t.Parallel()
	for role, again := range map[string]bool{ // whether the process is replaced
		"no frame": true, "unknown call": true, "twice": true, "too large": true,
		"another outcome": false, "bad reason": false, "silence": false,
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			c := restless(t, role)
			if role == "silence" {
				c.Deadline = durationpb.New(time.Second)
			}
			n := open(t, nil, c)
			got, took := n.say("r", "x")
			if role != "twice" && got != "PLUGIN_UNAVAILABLE" { // the first of two answers is right
				t.Errorf("got %q", got)
			}
			if took >= patience {
				t.Errorf("after %s", took)
			}
			if again {
				await(t, "another life", func() bool { return value(t, n.metrics, "hermod_plugin_connects_total") > 1 })
			}
			await(t, "that it works again", func() bool { return n.text("r", "fine") == "fine" })
			if got := value(t, n.metrics, "hermod_plugin_connects_total"); !again && got != 1 {
				t.Errorf("connected %v times", got)
			}
		})
	}
}

// TestMessagesThatMayNotBeStored: a process cannot have the node store what no client may send.
func TestMessagesThatMayNotBeStored(t *testing.T) {
	t.Parallel()
	n := open(t, nil, restless(t, "talker"))
	for _, text := range []string{"long", "metadata", "other"} {
		if got := n.text("r", text); got != "PLUGIN_UNAVAILABLE" {
			t.Errorf("%s: got %q", text, got)
		}
		await(t, "that it works again", func() bool { return n.text("r", "hi") == "hi" })
	}
}

// TestMessagesThatAreTooLargeToBeTold: what does not go into a frame is refused, and is no failure of the plugin's: else who sends
// some of it in a row would have it left alone.
func TestMessagesThatAreTooLargeToBeTold(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", frames.MaxBytes+1)
	for _, policy := range []string{conf.OnFailureClosed, conf.OnFailureOpen} {
		c := as(t, "talker", nil)
		c.OnFailure, c.RetryAfter = policy, durationpb.New(time.Hour)
		n := open(t, nil, c)
		for range 10 {
			if got := n.text("r", large); got != "MESSAGE_REFUSED" {
				t.Errorf("%s: got %.32q", policy, got)
			}
		}
		if got := n.text("r", "pid"); got == "pid" || got == "PLUGIN_UNAVAILABLE" {
			t.Errorf("%s: it is left alone: got %q", policy, got)
		}
	}
}

// TestSilentProcess: one that forgets what it was asked is replaced, and no more waits for it than may.
func TestSilentProcess(t *testing.T) {
	t.Parallel()
	n := open(t, nil, restless(t, "silence"))
	p := of[plugin.MessageInterceptor](t, n)
	began := value(t, n.metrics, "hermod_plugin_connects_total")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const calls = frames.MaxUnanswered + 100
	failed := make(chan error, calls)
	for range calls {
		go func() {
			_, err := p.InterceptMessage(ctx, plugin.Message{Content: []byte("x")})
			failed <- err
		}()
	}
	for range calls - frames.MaxUnanswered { // only these fail while nobody loses his patience
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "unanswered") {
			t.Errorf("got %v", err)
		}
	}
	cancel()
	for range frames.MaxUnanswered {
		if err := <-failed; err == nil {
			t.Error("an answer")
		}
	}
	await(t, "another life", func() bool { return value(t, n.metrics, "hermod_plugin_connects_total") > began })
	await(t, "that it works again", func() bool {
		m, err := p.InterceptMessage(t.Context(), plugin.Message{Content: []byte("fine")})
		return err == nil && string(m.Content) == "fine"
	})
}

// TestKilledProcess: while it is killed again and again, policies hold and calls work again.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	n := open(t, nil, restless(t, "talker"))
	last := 0
	for round := range 3 {
		pid := 0
		await(t, "a process", func() bool {
			var err error
			pid, err = strconv.Atoi(n.text("r", "pid"))
			return err == nil && pid != last
		})
		last = pid
		stop := make(chan struct{})
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if got := n.text(fmt.Sprint("r", i), "hi"); got != "hi" && got != "PLUGIN_UNAVAILABLE" {
						t.Errorf("got %q", got)
					}
				}
			})
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		await(t, "another process", func() bool {
			return value(t, n.metrics, "hermod_plugin_connects_total") == float64(round+2)
		})
		close(stop)
		all.Wait()
	}
	await(t, "its end in the log", func() bool { return strings.Contains(n.log.String(), "signal: killed") })
}

// TestProcessThatEndsItself: calls fail at once while there is none, though the deadline is far.
func TestProcessThatEndsItself(t *testing.T) {
	t.Parallel()
	c := restless(t, "talker")
	c.Deadline = durationpb.New(time.Minute)
	n := open(t, nil, c)
	if got, took := n.say("r", "die"); got != "PLUGIN_UNAVAILABLE" || took >= patience {
		t.Errorf("got %q after %s", got, took)
	}
	await(t, "another process", func() bool { return n.text("r", "hi") == "hi" })
}
