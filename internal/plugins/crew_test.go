package plugins_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/game-im/hermod/internal/conf"
)

// TestManyAtOnce: many senders whose messages are decided at once. Whoever has looked at them is gone
// when the host has stopped, which the check for goroutines at the end of these tests would find out.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	h, m := hosted(t, &conf.Plugin{OnFailure: conf.OnFailureOpen}, interceptor{"pass", pass})
	const senders, each = 200, 200
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for k := range each {
				want := fmt.Sprint(k)
				if got := send(h, fmt.Sprint("user-", i), want).outcome(); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
	all.Wait()
	calls := 0.0
	for _, outcome := range []string{"ok", "late", "busy", "left_alone"} { // a slow machine may be late
		calls += value(t, m, "hermod_plugin_calls_total", outcome)
	}
	if calls != senders*each {
		t.Errorf("%v calls are counted", calls)
	}
}
