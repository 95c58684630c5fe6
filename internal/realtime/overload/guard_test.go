package overload_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/realtime/overload"
)

var quiet = slog.New(slog.DiscardHandler)

func enter(t *testing.T, g *overload.Guard, remote string) overload.Place {
	t.Helper()
	p, refused := g.Enter(remote)
	if refused != nil {
		t.Fatalf("%s: %v", remote, refused)
	}
	return p
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	g := overload.NewGuard(overload.Limits{Connections: 2, RetryAfter: time.Second}, quiet)
	first := enter(t, g, "10.0.0.1:1")
	enter(t, g, "10.0.0.1:2")
	_, refused := g.Enter("10.0.0.2:1")
	if refused == nil || refused.Limit != overload.Connections || !strings.Contains(refused.Text, "2 connections") {
		t.Fatalf("the third: %+v", refused)
	}
	if refused.Retry < 500*time.Millisecond || refused.Retry > 1500*time.Millisecond {
		t.Errorf("told to wait %v", refused.Retry)
	}
	first.Leave()
	enter(t, g, "10.0.0.2:1").Leave()
	g.SetLimits(overload.Limits{})
	for i := range 100 {
		enter(t, g, fmt.Sprint("10.0.0.3:", i))
	}
	overload.Place{}.Leave() // of nobody
	r := prometheus.NewRegistry()
	r.MustRegister(g.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "hermod_overload_connections" && f.GetMetric()[0].GetGauge().GetValue() != 101 {
			t.Errorf("the gauge says %v", f)
		}
	}
	if len(families) != 2 {
		t.Errorf("%d families of metrics", len(families))
	}
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	g := overload.NewGuard(overload.Limits{PerAddress: 1}, quiet)
	for _, tt := range []struct {
		first, second string
		same          bool
	}{
		{"10.0.0.1:1", "10.0.0.1:2", true},
		{"10.0.0.2:1", "10.0.0.3:1", false},
		{"[::ffff:10.0.0.4]:1", "10.0.0.4:1", true},
		{"[2001:db8::1]:1", "[2001:db8::ffff:2]:1", true}, // of one subscriber
		{"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false},
		{"[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true},
		{"@", "@", false}, // a socket without an address
	} {
		p := enter(t, g, tt.first)
		if _, refused := g.Enter(tt.second); (refused != nil) != tt.same {
			t.Errorf("%s after %s: %v", tt.second, tt.first, refused)
		}
		p.Leave()
		if tt.same {
			enter(t, g, tt.second).Leave()
		}
	}
}

// TestNoPlaceIsLost: whatever comes and goes at the same time, in the end everybody has left.
func TestNoPlaceIsLost(t *testing.T) {
	t.Parallel()
	g := overload.NewGuard(overload.Limits{Connections: 8, PerAddress: 3}, quiet)
	var inside, most atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 2000 {
				p, refused := g.Enter(fmt.Sprintf("10.0.0.%d:1", i%4))
				if refused != nil {
					continue
				}
				n := inside.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				inside.Add(-1)
				p.Leave()
			}
		})
	}
	wg.Wait()
	if most.Load() > 8 {
		t.Errorf("%d were inside", most.Load())
	}
	for i := range 8 {
		enter(t, g, fmt.Sprintf("10.0.0.%d:1", i%4))
	}
}

func TestSocketsHaveRoomToBeRefused(t *testing.T) {
	t.Parallel()
	g := overload.NewGuard(overload.Limits{Connections: 1000}, quiet)
	if !g.Socket(1000) || !g.Socket(1300) {
		t.Error("no room for those that are to be told")
	}
	if g.Socket(2000) {
		t.Error("any number of sockets")
	}
	if g.SetLimits(overload.Limits{}); !g.Socket(1e6) {
		t.Error("a limit that nobody has set")
	}
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := overload.NewGuard(overload.Limits{Requests: 10, Burst: 5, RetryAfter: time.Second}, quiet)
		taken := func(n int) (ok int) {
			for range n {
				if g.Request() == nil {
					ok++
				}
			}
			return ok
		}
		if got := taken(20); got != 5 {
			t.Errorf("%d at once, want 5", got)
		}
		time.Sleep(time.Second / 5)
		if got := taken(20); got != 2 {
			t.Errorf("%d after a fifth of a second, want 2", got)
		}
		r := g.Request()
		if r == nil || r.Limit != overload.Requests || r.Retry <= 0 || r.Error() != r.Text {
			t.Errorf("refused with %+v", r)
		}
		g.SetLimits(overload.Limits{Requests: 10, Burst: 5, RetryAfter: time.Minute})
		if got := taken(20); got != 0 {
			t.Errorf("another setting has given back %d", got)
		}
		g.SetLimits(overload.Limits{})
		if got := taken(1000); got != 1000 {
			t.Errorf("%d of 1000 without a limit", got)
		}
	})
}

// log is what was logged so far, for whoever reads it meanwhile.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestAnEpisodeIsLoggedOnce: its begin and its end, and nothing for what is refused between them.
func TestAnEpisodeIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged log
		g := overload.NewGuard(overload.Limits{Connections: 1}, slog.New(slog.NewTextHandler(&logged, nil)))
		enter(t, g, "")
		count := func(word string) int { return strings.Count(logged.String(), word) }
		for range 100 {
			g.Enter("")
			time.Sleep(time.Second / 2) // 50 seconds, in which it never rests
		}
		synctest.Wait()
		if count("level=WARN") != 1 || count("level=INFO") != 0 {
			t.Errorf("during the episode:\n%s", &logged)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if count("level=INFO") != 1 || count("refused=100") != 1 || count("limit=connections") != 2 {
			t.Errorf("after the episode:\n%s", &logged)
		}
		g.Enter("")
		synctest.Wait()
		if count("level=WARN") != 2 {
			t.Errorf("at the next one:\n%s", &logged)
		}
		time.Sleep(time.Minute)
	})
}

func TestTally(t *testing.T) {
	t.Parallel()
	g := overload.NewGuard(overload.Limits{QueueBytes: 1 << 20}, quiet)
	a, b := g.NewTally(), g.NewTally()
	a.Now(100)
	if g.Queued() != 0 {
		t.Errorf("a hundred bytes are noticed: %d", g.Queued())
	}
	a.Now(1 << 20)
	b.Now(1 << 19)
	if got := g.Queued(); got != 3<<19 {
		t.Errorf("queued %d", got)
	}
	if got := g.Most(1 << 20); got != overload.Crowded {
		t.Errorf("of a crowded node a session has %d", got)
	}
	b.Now(0)
	a.Now(1<<20 - 5)
	if got := g.Queued(); got != 1<<20 {
		t.Errorf("queued %d", got)
	}
	if got := g.Most(1 << 20); got != 1<<20 {
		t.Errorf("a session has %d", got)
	}
	a.Now(10)
	a.Now(0)
	if got := g.Queued(); got != 0 {
		t.Errorf("left %d", got)
	}
	(&overload.Tally{}).Now(1 << 20) // of no node
}

// BenchmarkRequest is what a limit on requests costs each of them, from all processors at once.
func BenchmarkRequest(b *testing.B) {
	for name, limit := range map[string]int{"no limit": 0, "a limit": 1e9} {
		g := overload.NewGuard(overload.Limits{Requests: limit, Burst: limit}, quiet)
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					g.Request()
				}
			})
		})
	}
}
