package node_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// TestSlowConsumer fills the queue of a client that does not read with what no log could bring
// back: it is closed as slow and nobody else notices.
func TestSlowConsumer(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, slow := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		_, fine := b.connect(session.Options{ID: "2", User: "carol"}, 0)
		synctest.Wait()
		slow.SetReading(false)
		refused := 0
		for range 300 {
			if b.PushUser("bob", frame.New("0123456789")) == session.Full {
				refused++
			}
		}
		if refused == 0 {
			t.Error("a full queue refused no push")
		}
		if st := s.Stats(); st.QueueBytes > testConfig.QueueBytes {
			t.Errorf("%d bytes in a queue of %d", st.QueueBytes, testConfig.QueueBytes)
		}
		s.Reply(frame.New("an answer that must be kept"))
		if _, ok := slow.Closed(); ok {
			t.Error("closed although there is room for answers")
		}
		for range 100 {
			s.Reply(frame.New("an answer that must be kept"))
		}
		if why, ok := slow.Closed(); !ok || why != transport.Slow {
			t.Errorf("closed %v, %v", ok, why)
		}
		b.send("alice", "")
		want(t, fine, "1")
	})
}

func TestAStalledClientIsClosedAsSlow(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		_, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		synctest.Wait()
		conn.SetReading(false)
		for range 100 {
			b.send("alice", "")
		}
		time.Sleep(29 * time.Second)
		if _, ok := conn.Closed(); ok {
			t.Error("closed too early")
		}
		time.Sleep(3 * time.Second)
		if why, ok := conn.Closed(); !ok || why != transport.Slow {
			t.Errorf("closed %v, %v", ok, why)
		}
	})
}

// TestStuckClientsDoNotDelayOthers blocks as many writes as there are clients.
func TestStuckClientsDoNotDelayOthers(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		const stuck = 200
		for i := range stuck {
			_, conn := b.connect(session.Options{ID: fmt.Sprint("s", i), User: fmt.Sprint("stuck", i)}, 0)
			conn.SetReading(false)
		}
		_, fine := b.connect(session.Options{ID: "fine", User: "carol"}, 0)
		synctest.Wait()
		start := time.Now()
		b.send("alice", "")
		for len(fine.Texts()) == 0 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("%d stuck clients delayed another one by %v", stuck, took)
		}
	})
}

func TestAnExpiredTokenEndsTheConnection(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		s.SetExpiry(time.Now().Add(time.Minute))
		time.Sleep(85 * time.Second)
		if _, ok := conn.Closed(); ok {
			t.Error("closed within the grace period")
		}
		time.Sleep(7 * time.Second)
		if why, ok := conn.Closed(); !ok || why != transport.TokenExpired {
			t.Errorf("closed %v, %v", ok, why)
		}
	})
}

func TestAnUnreadableLogClosesTheConnection(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.log.setFail(fmt.Errorf("no store"))
		_, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		time.Sleep(20 * time.Second)
		if _, ok := conn.Closed(); ok {
			t.Error("closed at the first failure")
		}
		time.Sleep(12 * time.Second)
		if why, ok := conn.Closed(); !ok || why != transport.StoreGone {
			t.Errorf("closed %v, %v", ok, why)
		}
	})
}

// TestAnUnreadableLogIsTriedAnewForWhoComesBack: for how long it could not be read counts from then on, since nobody
// tried while the session had no connection.
func TestAnUnreadableLogIsTriedAnewForWhoComesBack(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.log.setFail(fmt.Errorf("no store"))
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		time.Sleep(time.Second)
		b.Done(s, conn, transport.ConnLost)
		time.Sleep(40 * time.Second)
		back := transporttest.NewConn()
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back, Proven: true}); !ok {
			t.Fatal("not resumed")
		}
		s.Continue(back)
		time.Sleep(time.Second)
		b.send("alice", "")
		b.log.setFail(nil)
		time.Sleep(time.Second)
		want(t, back, "1")
		if why, ok := back.Closed(); ok {
			t.Errorf("closed: %v", why)
		}
	})
}

func TestAnUnreadableLogIsReadOnceItCanBe(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.log.setFail(fmt.Errorf("no store"))
		_, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		b.send("alice", "")
		time.Sleep(5 * time.Second)
		b.log.setFail(nil)
		time.Sleep(time.Second)
		want(t, conn, "1")
	})
}

func TestDrainSpreadsSessionsOverTheWindow(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		var conns []*transporttest.Conn
		for i := range 10 {
			_, conn := b.connect(session.Options{ID: fmt.Sprint(i), User: fmt.Sprint(i)}, 0)
			conns = append(conns, conn)
		}
		start := time.Now()
		go b.Drain(t.Context(), 10*time.Second)
		time.Sleep(5*time.Second + 500*time.Millisecond)
		closed, advised := 0, map[time.Duration]bool{}
		for _, c := range conns {
			if why, ok := c.Closed(); ok && why.Code == transport.Shutdown.Code {
				closed++
				advised[why.Retry] = true
				if why.Retry < 2500*time.Millisecond || why.Retry > 7500*time.Millisecond {
					t.Errorf("advised to come back after %v, of a window of 10 s", why.Retry)
				}
			}
		}
		if closed < 4 || closed > 7 {
			t.Errorf("%d of 10 closed after half of the window", closed)
		}
		if len(advised) < 2 {
			t.Errorf("all are advised to come back in the same moment: %v", advised)
		}
		time.Sleep(time.Until(start.Add(10 * time.Second)))
		for i, c := range conns {
			if _, ok := c.Closed(); !ok {
				t.Errorf("session %d was not closed", i)
			}
		}
	})
}

// large is a log of messages of these sizes. It has not more than so many readings in it.
type large struct {
	sizes []int
	pages atomic.Int64
}

const maxReadings = 1000

func (l *large) Page(ctx context.Context, after int64, _ int) (page []session.Entry, err error) {
	if l.pages.Add(1) > maxReadings {
		<-ctx.Done() // or a test would never be quiet
		return nil, ctx.Err()
	}
	for seq := after + 1; seq <= int64(len(l.sizes)); seq++ {
		page = append(page, session.Entry{Seq: seq, Frame: frame.New(strings.Repeat(fmt.Sprint(seq), l.sizes[seq-1]))})
	}
	return page, nil
}

func (*large) Received(int64) {}

// TestALargeMessageDoesNotWaitForAnEmptyQueue: what is larger than the room behind frames that are not acknowledged is
// read from the log once, and not over and over until it fits. A client that acknowledges nothing is closed as slow.
func TestALargeMessageDoesNotWaitForAnEmptyQueue(t *testing.T) {
	for _, acks := range []bool{true, false} {
		t.Run(fmt.Sprint("acknowledges: ", acks), func(t *testing.T) {
			run(t, func(t *testing.T, b *bench) {
				conn, log := transporttest.NewConn(), &large{sizes: []int{100, 950, 10}}
				s := session.New(b.Core(), session.Options{ID: "1", User: "bob", Format: transporttest.Text, Resume: true}, conn, time.Time{})
				b.Open(s)
				b.Subscribe(s, "room", log, 0)
				s.Continue(conn)
				time.Sleep(10 * time.Second)
				want(t, conn, strings.Repeat("1", 100), strings.Repeat("2", 950))
				if n := log.pages.Load(); n > 10 {
					t.Errorf("the log was read %d times", n)
				}
				if !acks {
					time.Sleep(25 * time.Second)
					if why, ok := conn.Closed(); !ok || why != transport.Slow {
						t.Errorf("closed %v, %v", ok, why)
					}
					return
				}
				s.AckLink(2)
				want(t, conn, strings.Repeat("1", 100), strings.Repeat("2", 950), strings.Repeat("3", 10))
				time.Sleep(time.Minute)
				if why, ok := conn.Closed(); ok {
					t.Errorf("closed: %v", why)
				}
			})
		})
	}
}

// TestA5AfterAFullQueue: a session that was closed as slow, with the one frame more that it has room for, has lost
// nothing. Its client comes back, is answered and takes all of it; and what it asks for before that costs it no more
// than the connection.
func TestA5AfterAFullQueue(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		synctest.Wait()
		conn.SetReading(false)
		var texts []string
		reply := func() {
			texts = append(texts, fmt.Sprint("an answer that must be kept ", len(texts)))
			s.Reply(frame.New(texts[len(texts)-1]))
		}
		for _, closed := conn.Closed(); !closed; _, closed = conn.Closed() {
			reply()
		}
		b.Done(s, conn, transport.Slow)
		back := func(last uint64) *transporttest.Conn {
			t.Helper()
			conn := transporttest.NewConn()
			if _, _, ok := b.Resume("1", "bob", session.Return{Conn: conn, Proven: true, Last: last}); !ok {
				t.Fatal("not resumed")
			}
			texts = append(texts, "welcome")
			s.Welcome(conn, frame.New("welcome"))
			return conn
		}
		conn = back(0)
		want(t, conn, texts...)
		if why, closed := conn.Closed(); closed {
			t.Fatalf("closed: %v", why)
		}
		reply()
		if why, closed := conn.Closed(); !closed || why != transport.Slow {
			t.Errorf("closed %v, %v", closed, why)
		}
		b.Done(s, conn, transport.Slow)
		conn = back(20)
		reply()
		want(t, conn, texts[20:]...)
		if why, closed := conn.Closed(); closed {
			t.Errorf("closed: %v", why)
		}
	})
}
