package websocket_test

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// TestConnectionsComeAndGo connects and disconnects in every way, and wants as many goroutines and
// connections as before. -short leaves out most of the 10,000 cycles.
func TestConnectionsComeAndGo(t *testing.T) {
	cycles, parallel := 10_000, 20
	if testing.Short() || raceEnabled {
		cycles = 1000
	}
	s := serve(t, options, false, func(c transport.Conn) error {
		for {
			data, err := c.Read()
			if err != nil {
				return nil
			}
			if err := c.Write(transporttest.Frames(t, 0, string(data))); err != nil {
				return nil
			}
		}
	})
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for w := range parallel {
		wg.Go(func() {
			for i := range cycles / parallel {
				p := s.dial(t, false)
				if err := p.Send("hello"); err != nil {
					t.Error(err)
				}
				if got, err := p.Recv(); err != nil || got != "hello" {
					t.Errorf("%q, %v", got, err)
				}
				if (i+w)%2 == 0 {
					_ = p.Finish() // then the server may be first
				}
				p.Cut()
			}
		})
	}
	wg.Wait()
	eventually(t, "as many connections and goroutines as before", func() bool {
		return s.group.Len() == 0 && runtime.NumGoroutine() <= before+2
	})
}

// TestClientsThatStopReading lets most clients read nothing while everybody is written to: what they
// cost is bounded, and the others get everything.
func TestClientsThatStopReading(t *testing.T) {
	stuck, readers := 1000, 10
	if testing.Short() || raceEnabled {
		stuck = 100
	}
	var conns atomic.Int64
	const rounds = 200
	out := transporttest.Frames(t, 0, strings.Repeat("x", 32<<10))
	patient := options
	patient.PingAfter, patient.PingTimeout = time.Minute, time.Minute // so that they are there to the end
	s := serve(t, patient, false, func(c transport.Conn) error {
		conns.Add(1)
		defer conns.Add(-1)
		go func() {
			for range rounds {
				if c.Write(out) != nil {
					return
				}
			}
		}()
		return drain(c)
	})
	var idle []*peer
	for range stuck {
		idle = append(idle, s.dial(t, false))
	}
	var wg sync.WaitGroup
	for range readers {
		p := s.dial(t, false)
		wg.Go(func() {
			for i := range rounds {
				if got, err := p.Recv(); err != nil || len(got) != 32<<10 {
					t.Errorf("message %d: %d bytes, %v", i, len(got), err)
					return
				}
			}
			p.Cut()
		})
	}
	wg.Wait()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if per := (m.HeapInuse + m.StackInuse) / uint64(stuck); per > 64<<10 {
		t.Errorf("%d bytes for each client that does not read and its server", per)
	}
	for _, p := range idle {
		p.Cut()
	}
	eventually(t, "nobody is left", func() bool { return conns.Load() == 0 && s.group.Len() == 0 })
}
