//go:build unix

package node_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// sink is a connection that costs nothing, so that what is measured is ours.
type sink struct{ frames *atomic.Int64 }

func (sink) Read() ([]byte, error)      { return nil, io.EOF }
func (sink) Close(transport.Disconnect) {}
func (c sink) Write(out []transport.Outgoing) error {
	c.frames.Add(int64(len(out)))
	return nil
}

// BenchmarkFanout is what the realtime core costs for each delivery, from a publication to the
// connection: the time per operation is that of one delivery.
func BenchmarkFanout(b *testing.B) {
	each(b, func(n *node.Node) {
		n.Publish(&frame.Publication{
			Channel: "room", Frame: frame.New("a message of a usual length, of about a hundred bytes"),
			From: "user-session-0000", Origin: "session-0000",
		})
	}, 1, 1)
}

// BenchmarkBroadcast is the same for frames that services broadcast, several at a time.
func BenchmarkBroadcast(b *testing.B) {
	const callers = 16
	each(b, func(n *node.Node) {
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() { n.Broadcast(frame.New("a message of a usual length, of about a hundred bytes")) })
		}
		wg.Wait()
	}, callers, 0)
}

// each measures what send costs for each delivery. It sends a number of times, to all sessions but some.
func each(b *testing.B, send func(n *node.Node), times, but int) {
	b.Helper()
	for _, receivers := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(receivers), func(b *testing.B) {
			cfg := testConfig
			cfg.QueueBytes = 1 << 30
			n := node.New(session.NewCore(cfg, slog.New(slog.DiscardHandler)), broker.NewMemory(), presence.New(0))
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- n.Run(ctx) }()
			var frames atomic.Int64
			for i := range receivers {
				id := fmt.Sprintf("session-%04d", i)
				s := session.New(n.Core(), session.Options{ID: id, User: "user-" + id, Format: transporttest.Text}, sink{&frames}, time.Time{})
				n.Open(s)
				n.Subscribe(s, "room", nil, 0)
				s.Continue(sink{&frames})
			}
			b.ReportAllocs()
			start := cpuTime(b)
			b.ResetTimer()
			want := int64(0)
			for want < int64(b.N) {
				send(n)
				want += int64(times * (receivers - but))
			}
			for frames.Load() < want {
				time.Sleep(100 * time.Microsecond)
			}
			b.StopTimer()
			b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op")
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// cpuTime is what the process has used: on a machine that others use too, it tells more than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
