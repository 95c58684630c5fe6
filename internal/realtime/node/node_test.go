package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

var testConfig = session.Config{
	QueueBytes: 1000, ResumeWindow: time.Minute, StallTimeout: 30 * time.Second, ExpiryGrace: 30 * time.Second,
}

// bench is a node in a synctest bubble with a log for one room.
type bench struct {
	*node.Node
	t   *testing.T
	log *roomLog
}

// run runs a test with a node in a bubble of its own clock.
func run(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core := session.NewCore(testConfig, slog.New(slog.DiscardHandler))
		b := &bench{node.New(core, broker.NewMemory(), presence.New(10*time.Second)), t, &roomLog{received: map[string]int64{}}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		test(t, b)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// connect opens a session that follows the room from a place on.
func (b *bench) connect(o session.Options, after int64) (*session.Session, *transporttest.Conn) {
	b.t.Helper()
	conn := transporttest.NewConn()
	o.Format = transporttest.Text
	s := session.New(b.Core(), o, conn, time.Time{})
	b.Open(s)
	b.Subscribe(s, "room", &reader{b.log, o.User}, after)
	s.Continue(conn)
	return s, conn
}

// send stores a message and publishes it.
func (b *bench) send(from, origin string) {
	b.Publish(b.log.append(from, origin))
}

func want(t *testing.T, c *transporttest.Conn, texts ...string) {
	t.Helper()
	synctest.Wait()
	if got := c.Texts(); !slices.Equal(got, texts) {
		t.Fatalf("got  %q\nwant %q", got, texts)
	}
}

// roomLog is the store of the tests: message n of a room has the text "n".
type roomLog struct {
	mu       sync.Mutex
	senders  []string
	fail     error
	pages    int // read by sessions
	reads    int // by nodes
	received map[string]int64
}

func (l *roomLog) append(from, origin string) *frame.Publication {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.senders = append(l.senders, from)
	seq := len(l.senders)
	return &frame.Publication{
		Channel: "room", Seq: int64(seq), Frame: frame.New(fmt.Sprint(seq)), From: from,
		Origin: origin, Reply: frame.New(fmt.Sprint("ack ", seq)),
	}
}

func (l *roomLog) setFail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

func (l *roomLog) position(user string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.received[user]
}

// Keeps implements hub.Log.
func (l *roomLog) Keeps(channel string) bool { return channel == "room" }

// Publications implements hub.Log.
func (l *roomLog) Publications(_ context.Context, channel string, after, upTo int64, limit int) ([]*frame.Publication, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	var ps []*frame.Publication
	for seq := after + 1; seq <= min(upTo, int64(len(l.senders))) && len(ps) < limit; seq++ {
		ps = append(ps, &frame.Publication{Channel: channel, Seq: seq, Frame: frame.New(fmt.Sprint(seq)), From: l.senders[seq-1]})
	}
	return ps, l.fail
}

// reader is the log as one user reads it.
type reader struct {
	*roomLog
	user string
}

func (r *reader) Page(_ context.Context, after int64, limit int) ([]session.Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pages++
	if r.fail != nil {
		return nil, r.fail
	}
	var page []session.Entry
	for seq := after + 1; seq <= int64(len(r.senders)) && len(page) < limit; seq++ {
		e := session.Entry{Seq: seq}
		if r.senders[seq-1] != r.user {
			e.Frame = frame.New(fmt.Sprint(seq))
		}
		page = append(page, e)
	}
	return page, nil
}

func (r *reader) Received(seq int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received[r.user] = seq
}

func numbers(from, to int) (texts []string) {
	for n := from; n <= to; n++ {
		texts = append(texts, fmt.Sprint(n))
	}
	return texts
}

func TestBacklogThenLive(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		for range 1000 { // several pages, and far more than a queue holds
			b.send("alice", "")
		}
		_, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		synctest.Wait()
		b.send("alice", "")
		want(t, conn, numbers(1, 1001)...)
	})
}

// TestA4NoSilentGap publishes while a session catches up, is slow, and overflows: what it sees is
// the log, in order, without holes.
func TestA4NoSilentGap(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		for range 300 {
			b.send("alice", "")
		}
		_, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		for i := range 2000 {
			b.send("alice", "")
			switch i {
			case 500:
				conn.SetReading(false)
			case 1500:
				conn.SetReading(true)
			}
		}
		want(t, conn, numbers(1, 2300)...)
		if _, closed := conn.Closed(); closed {
			t.Error("a client that makes progress was closed")
		}
	})
}

// TestA4LostPublication leaves one out, as a broker may: the session reads it from the log.
func TestA4LostPublication(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		_, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		b.send("alice", "")
		b.log.append("alice", "")
		b.send("alice", "")
		want(t, conn, "1", "2", "3")
		lost := b.log.append("alice", "")
		want(t, conn, "1", "2", "3")
		b.Publish(&frame.Publication{Channel: "room", Seq: lost.Seq}) // the head alone
		want(t, conn, "1", "2", "3", "4")
		b.Publish(lost) // late, and again
		want(t, conn, "1", "2", "3", "4")
	})
}

func TestSenderGetsHisReplyInPlaceOfTheMessage(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		_, a := b.connect(session.Options{ID: "a", User: "alice", Replies: true}, 0)
		_, other := b.connect(session.Options{ID: "a2", User: "alice"}, 0)
		_, plain := b.connect(session.Options{ID: "b", User: "bob"}, 0)
		synctest.Wait()
		b.send("alice", "a")
		b.send("bob", "b")
		b.send("alice", "a")
		want(t, a, "ack 1", "2", "ack 3")
		want(t, other, "1", "2", "3")
		want(t, plain, "1", "3")
	})
}

func TestAnUnacknowledgingClientHasWhatWasWrittenBeforeItSpoke(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		b.send("alice", "")
		want(t, conn, "1")
		if got := b.log.position("bob"); got != 0 {
			t.Errorf("cursor %d before anything was heard", got)
		}
		s.Heard()
		b.send("alice", "")
		want(t, conn, "1", "2")
		if got := b.log.position("bob"); got != 1 {
			t.Errorf("cursor %d, want 1", got)
		}
	})
}

func TestWhatRequiresAnAckHoldsTheCursor(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		synctest.Wait()
		b.send("alice", "")
		p := b.log.append("alice", "")
		p.AckRequired = true
		b.Publish(p)
		b.send("alice", "")
		want(t, conn, "1", "2", "3")
		s.Heard()
		if got := b.log.position("bob"); got != 1 {
			t.Errorf("cursor %d, want 1: 2 waits for its ack", got)
		}
		if !s.Ack("room", 2) {
			t.Error("ack refused")
		}
		s.Heard()
		b.send("alice", "")
		want(t, conn, "1", "2", "3", "4")
		s.Heard()
		if got := b.log.position("bob"); got != 4 {
			t.Errorf("cursor %d, want 4", got)
		}
		s.Ack("room", 99) // more than was ever written
		if got := b.log.position("bob"); got != 4 {
			t.Errorf("cursor %d after a false claim", got)
		}
	})
}

func TestUnsubscribedSessionsGetNothing(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		synctest.Wait()
		b.Unsubscribe(s, "room")
		b.send("alice", "")
		want(t, conn)
		b.Subscribe(s, "room", &reader{b.log, "bob"}, 0)
		want(t, conn, "1")
	})
}
