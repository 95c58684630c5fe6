//go:build unix

package plugins_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
)

// discard is a Deliverer for whom nobody is connected.
type discard struct{}

func (discard) Deliver(*biz.Draft)                      {}
func (discard) DeliverAll([]*biz.Draft)                 {}
func (discard) Joined(biz.JoinResult)                   {}
func (discard) Left(biz.RoomID, biz.UserID)             {}
func (discard) Sequence(_ *biz.Draft, done func(error)) { done(nil) }

// BenchmarkSend has 1,000 members in 100 rooms send messages of 128 bytes, one in flight each, which are
// checked, asked about and stored in SQLite: in turns to a node without plugins and to one with an
// interceptor that does nothing. ratio is the throughput with it beside that without, of the same run;
// cpu-ratio is the same by CPU time, which other programs on the machine disturb less.
func BenchmarkSend(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // about what a node sets for a heap of this size
	h, _ := hosted(b, nil, interceptor{"pass", pass})
	without, with := newSenders(b, nil), newSenders(b, h.Interceptor())
	var took, used [2]time.Duration
	sent := 0
	b.ResetTimer()
	for b.Loop() {
		for turn := range 2 { // who is first takes turns as well
			i := (turn + sent) % 2
			before := cpu(b)
			took[i] += []*senders{without, with}[i].round()
			used[i] += cpu(b) - before
		}
		sent++
	}
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "ratio")
	b.ReportMetric(used[0].Seconds()/used[1].Seconds(), "cpu-ratio")
	b.ReportMetric(used[0].Seconds()*1e6/float64(sent*perRound), "without-cpu-µs")
	b.ReportMetric(float64(sent*perRound)/took[0].Seconds(), "without/s")
	b.ReportMetric(float64(sent*perRound)/took[1].Seconds(), "with/s")
}

// cpu is the time that this process has had a processor.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const (
	benchRooms, benchUsers = 100, 1000
	// perRound is how many messages are sent before it is the others' turn.
	perRound = 20 * benchUsers
)

type senders struct {
	messages *biz.Messages
	fails    func(args ...any)
}

func newSenders(b *testing.B, by biz.Interceptor) *senders {
	b.Helper()
	quiet := slog.New(slog.DiscardHandler)
	db, err := data.Open(b.Context(), data.Options{Driver: "sqlite", Dir: b.TempDir()}, quiet)
	if err != nil {
		b.Fatal(err)
	}
	l, err := data.NewMessageLog(db, discard{}, data.LogOptions{}, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(func() {
		cancel()
		running.Wait()
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	members := data.NewMembers(db)
	rooms := data.NewRooms(db)
	r := biz.NewRooms(rooms, members, nil, discard{}, nil, biz.RoomRules{AutoCreate: true, Defaults: biz.DefaultRoomConfig()})
	for i := range benchUsers {
		user := biz.UserID(fmt.Sprint("user-", i))
		if _, err := r.Join(ctx, biz.Identity{User: user}, biz.JoinRequest{Room: benchRoom(i)}); err != nil {
			b.Fatal(err)
		}
	}
	return &senders{biz.NewInterceptedMessages(rooms, l, discard{}, biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000}, by), b.Error}
}

func benchRoom(i int) biz.RoomID { return biz.RoomID(fmt.Sprint("room-", i%benchRooms)) }

// round has all members send, and returns how long that took.
func (s *senders) round() time.Duration { return s.roundOf(0) }

// roundOf is round of all but the first rooms.
func (s *senders) roundOf(without int) time.Duration {
	began := time.Now()
	content := make([]byte, 128)
	var all sync.WaitGroup
	for i := range benchUsers {
		if i%benchRooms < without {
			continue
		}
		all.Go(func() {
			done := make(chan error, 1)
			by := biz.Identity{User: biz.UserID(fmt.Sprint("user-", i))}
			for range perRound / benchUsers {
				d := &biz.Draft{Message: biz.Message{Room: benchRoom(i), Type: biz.TypeText, Content: content}}
				s.messages.Send(context.Background(), by, d, func(_ biz.Receipt, err error) { done <- err })
				if err := <-done; err != nil {
					s.fails(err)
				}
			}
		})
	}
	all.Wait()
	return time.Since(began)
}
