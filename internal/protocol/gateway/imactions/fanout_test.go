package imactions_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// TestARoomMessageIsEncodedOnce for each format, whatever the number of gateway sessions: they share
// one encoding, not equal ones.
func TestARoomMessageIsEncodedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	b.member("r", "bob")
	const each = 20
	var all []*client
	for i := range each {
		for _, f := range formats {
			c := b.login(f, fmt.Sprint("user ", f.Name, i), "")
			call(c, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
			all = append(all, c)
		}
	}
	// A session that has joined a moment ago may still read the log, from which it has frames of its own.
	for range 100 {
		b.say("r", "bob", "to all")
		encodings := map[*frame.Encoded]int{}
		for _, c := range all {
			encodings[c.encoding()]++
		}
		if len(encodings) == len(formats) {
			for _, n := range encodings {
				if n != each {
					t.Errorf("an encoding has reached %d sessions, want %d", n, each)
				}
			}
			return
		}
	}
	t.Errorf("%d sessions of %d formats never share one encoding for each", len(all), len(formats))
}

// encoding waits for the next text, and returns what it came in.
func (c *client) encoding() *frame.Encoded {
	c.b.t.Helper()
	for {
		m := c.message(c.take())
		c.ack()
		if m.GetType() == imv1.MessageType_MESSAGE_TYPE_TEXT {
			return c.came // before it come those who have joined later
		}
	}
}

// sink is a connection that costs nothing, so that what is measured is ours.
type sink struct{ frames *atomic.Int64 }

func (sink) Read() ([]byte, error)      { return nil, io.EOF }
func (sink) Close(transport.Disconnect) {}
func (c sink) Write(out []transport.Outgoing) error {
	c.frames.Add(int64(len(out)))
	return nil
}

// BenchmarkFanout is what a message of a room costs for each gateway session that gets it, from its
// delivery to the connection. With the number of receivers the allocations of one delivery go to none:
// they are those of the one encoding.
func BenchmarkFanout(b *testing.B) {
	for name, f := range formats {
		for _, receivers := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", name, receivers), func(b *testing.B) { benchmarkFanout(b, f, receivers) })
		}
	}
}

func benchmarkFanout(b *testing.B, f *frame.Format, receivers int) {
	b.Helper()
	core := session.NewCore(session.Config{
		QueueBytes: 1 << 30, ResumeWindow: time.Hour, StallTimeout: time.Hour, AckTimeout: time.Hour,
	}, slog.New(slog.DiscardHandler))
	n := node.New(core, broker.NewMemory(), presence.New(0))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	var written atomic.Int64
	sessions := make([]*session.Session, receivers)
	for i := range sessions {
		id := fmt.Sprint("session ", i)
		sessions[i] = session.New(n.Core(), session.Options{ID: id, User: id, Format: f, Resume: true, Replies: true}, sink{&written}, time.Time{})
		n.Open(sessions[i])
		n.Subscribe(sessions[i], protocol.RoomChannel("r"), nil, 0)
		sessions[i].Continue(sink{&written})
	}
	live := protocol.NewDeliverer(n)
	content := make([]byte, 128)
	b.ReportAllocs()
	b.ResetTimer()
	want, acked := int64(0), uint64(0)
	for want < int64(b.N) {
		now := time.Now()
		live.Deliver(&biz.Draft{Message: biz.Message{Room: "r", Sender: "bob", Type: biz.TypeText, Content: content, ID: "an id of the usual length, 32 byt", Time: now}})
		want += int64(receivers)
		acked++
		if acked%64 == 0 { // as clients do
			for written.Load() < want {
				time.Sleep(10 * time.Microsecond)
			}
			for _, s := range sessions {
				s.AckLink(acked)
			}
		}
	}
	for written.Load() < want {
		time.Sleep(10 * time.Microsecond)
	}
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
