//go:build unix

package plugins_test

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/plugin"
)

// BenchmarkRoomsWithoutThePlugin has 990 members of 99 rooms send, as BenchmarkSend does, in turns to a node
// without plugins and to one with an interceptor that sleeps ten seconds over all that is said in a hundredth room, where
// ten members say one thing after another meanwhile. ratio is the throughput of the 99 rooms with it beside that without, of the
// same run.
func BenchmarkRoomsWithoutThePlugin(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	without, with := newSenders(b, nil), newSenders(b, sleeper(b).Interceptor())
	var took [2]time.Duration
	hung, sent := 0, 0
	b.ResetTimer()
	for b.Loop() {
		for turn := range 2 { // who is first takes turns as well
			if i := (turn + sent) % 2; i == 0 {
				took[0] += without.roundOf(1)
			} else {
				ends := with.hang(&hung)
				took[1] += with.roundOf(1)
				ends()
			}
		}
		sent++
	}
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "ratio")
	b.ReportMetric(float64(hung), "hung")
}

// sleeper is an interceptor for room-0 that sleeps ten seconds over each message, or until it is given up.
func sleeper(b *testing.B) *plugins.Host {
	b.Helper()
	h, _ := hosted(b, &conf.Plugin{Rooms: []string{"room-0"}, Deadline: durationpb.New(100 * time.Millisecond), Failures: 10_000},
		interceptor{"sleeper", func(ctx context.Context, m plugin.Message) (plugin.Message, error) {
			select {
			case <-time.After(10 * time.Second):
			case <-ctx.Done():
			}
			return m, ctx.Err()
		}})
	return h
}

// hang has the members of room-0 say one thing after another, and counts how many came to nothing, until ends is called.
func (s *senders) hang(hung *int) (ends func()) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	for i := 0; i < benchUsers; i += benchRooms {
		all.Go(func() {
			done := make(chan error, 1)
			by := biz.Identity{User: biz.UserID(fmt.Sprint("user-", i))}
			for {
				select {
				case <-stop:
					return
				default:
				}
				d := &biz.Draft{Message: biz.Message{Room: benchRoom(i), Type: biz.TypeText, Content: make([]byte, 128)}}
				s.messages.Send(context.Background(), by, d, func(_ biz.Receipt, err error) { done <- err })
				if err := <-done; err == nil {
					s.fails("nothing hangs")
				}
				mu.Lock()
				*hung++
				mu.Unlock()
			}
		})
	}
	return func() {
		close(stop)
		all.Wait()
	}
}
