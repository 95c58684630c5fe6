package node_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// waitFor starts to wait, a minute at most, and returns a function that gives the outcome and when
// it came.
func waitFor(t *testing.T, a *node.Awaited) func() (session.Offered, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	start := time.Now()
	got := make(chan session.Offered, 1)
	took := make(chan time.Duration, 1)
	go func() {
		defer cancel()
		got <- a.Wait(ctx)
		took <- time.Since(start)
	}()
	return func() (session.Offered, time.Duration) { return <-got, <-took }
}

func TestAwaitedAcknowledged(t *testing.T) {
	for name, test := range map[string]struct {
		resume bool
		ack    func(s *session.Session)
		want   session.Offered
		after  time.Duration
	}{
		"its number":                    {true, func(s *session.Session) { s.AckLink(2) }, session.Acked, 0},
		"more than its number":          {true, func(s *session.Session) { s.AckLink(9) }, session.Acked, 0},
		"an earlier number":             {true, func(s *session.Session) { s.AckLink(1) }, session.Queued, time.Minute},
		"anything heard, with numbers":  {true, (*session.Session).Heard, session.Queued, time.Minute},
		"anything heard, without":       {false, (*session.Session).Heard, session.Acked, 0},
		"a number from one without any": {false, func(s *session.Session) { s.AckLink(2) }, session.Queued, time.Minute},
		"nothing":                       {true, func(*session.Session) {}, session.Queued, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, b *bench) {
				s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: test.resume}, 0)
				b.PushUser("bob", frame.New("before"))
				a := b.AwaitUser("bob", frame.New("push"), false)
				got := waitFor(t, a)
				want(t, conn, "before", "push")
				test.ack(s)
				if o, after := got(); o != test.want || after != test.after {
					t.Errorf("outcome %d after %v, want %d after %v", o, after, test.want, test.after)
				}
				if s.Awaited() != 0 {
					t.Error("the session remembers who waited")
				}
			})
		})
	}
}

// TestAwaitedWrittenFirst: what is heard before a frame went out does not acknowledge it.
func TestAwaitedWrittenFirst(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		synctest.Wait()
		conn.SetReading(false)
		got := waitFor(t, b.Await("1", frame.New("push")))
		synctest.Wait()
		s.Heard()
		time.Sleep(time.Second)
		conn.SetReading(true)
		want(t, conn, "push")
		s.Heard()
		if o, after := got(); o != session.Acked || after != time.Second {
			t.Errorf("outcome %d after %v", o, after)
		}
	})
}

// TestAwaitedConnectionLost: whoever waits learns at once that the connection is gone, and what that
// means for the frame.
func TestAwaitedConnectionLost(t *testing.T) {
	for name, test := range map[string]struct {
		resume, reading bool
		why             transport.Disconnect
		want            session.Offered
	}{
		"kept for its client":    {true, true, transport.ConnLost, session.Kept},
		"unwritten, kept":        {true, false, transport.ConnLost, session.Kept},
		"over, after the frame":  {false, true, transport.ConnLost, session.Unsure},
		"ended, after the frame": {true, true, transport.Ended, session.Unsure},
		"over, before the frame": {false, false, transport.ConnLost, session.Gone},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, b *bench) {
				s, conn := b.connect(session.Options{ID: "1", User: "bob", GID: 7, Resume: test.resume}, 0)
				synctest.Wait()
				if !test.reading { // the writer is stuck with an earlier frame
					conn.SetReading(false)
					b.PushUser("bob", frame.New("before"))
					synctest.Wait()
				}
				got := waitFor(t, b.AwaitGID(7, frame.New("push")))
				synctest.Wait()
				conn.Close(test.why)
				b.Done(s, conn, test.why)
				if o, after := got(); o != test.want || after != 0 {
					t.Errorf("outcome %d after %v, want %d at once", o, after, test.want)
				}
				if s.Awaited() != 0 {
					t.Error("the session remembers who waited")
				}
			})
		})
	}
}

// TestAwaitedBestOfSessions: one acknowledgement is enough, and as long as one may come the others do
// not matter.
func TestAwaitedBestOfSessions(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		phone, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		desk, _ := b.connect(session.Options{ID: "2", User: "bob", Resume: true}, 0)
		got := waitFor(t, b.AwaitUser("bob", frame.New("push"), true))
		synctest.Wait()
		conn.Close(transport.ConnLost)
		b.Done(phone, conn, transport.ConnLost)
		time.Sleep(time.Second)
		desk.AckLink(1)
		if o, after := got(); o != session.Acked || after != time.Second {
			t.Errorf("outcome %d after %v", o, after)
		}
		if phone.Awaited()+desk.Awaited() != 0 {
			t.Error("a session remembers who waited")
		}
		for what, a := range map[string]*node.Awaited{
			"nobody":             b.AwaitUser("eve", frame.New("push"), false),
			"an unknown session": b.Await("3", frame.New("push")),
			"an unknown gid":     b.AwaitGID(1, frame.New("push")),
			"a lost one, where only connected ones count": b.awaitSession(phone, true),
		} {
			if o := a.Wait(t.Context()); o != session.Gone {
				t.Errorf("%s: outcome %d", what, o)
			}
		}
	})
}

// awaitSession offers to the user of one session after the others of his have ended.
func (b *bench) awaitSession(s *session.Session, connected bool) *node.Awaited {
	for _, other := range b.OfUser(s.User) {
		if other != s {
			b.End(other, transport.Ended)
		}
	}
	return b.AwaitUser(s.User, frame.New("push"), connected)
}

// TestAwaitedOverAResume: a client that takes its session over while somebody waits acknowledges by
// that, or later.
func TestAwaitedOverAResume(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		first := waitFor(t, b.Await("1", frame.New("1")))
		second := waitFor(t, b.Await("1", frame.New("2")))
		want(t, conn, "1", "2")
		back := transporttest.NewConn()
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back, Ticket: s.Ticket(), Last: 1}); !ok {
			t.Fatal("not resumed")
		}
		b.Done(s, conn, transport.ConnLost) // the old connection's end concerns nobody
		s.Continue(back)
		want(t, back, "2")
		if o, _ := first(); o != session.Acked {
			t.Errorf("first: outcome %d", o)
		}
		time.Sleep(time.Second)
		s.AckLink(2)
		if o, after := second(); o != session.Acked || after != time.Second {
			t.Errorf("second: outcome %d after %v", o, after)
		}
	})
}

// TestAwaitedByMany waits for many frames at once, of which the client acknowledges every other
// batch before it is gone: every caller gets the outcome of his own frame.
func TestAwaitedByMany(t *testing.T) {
	const frames = 100
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		outcomes := make([]func() (session.Offered, time.Duration), frames)
		for i := range outcomes {
			outcomes[i] = waitFor(t, b.Await("1", frame.New(fmt.Sprint(i))))
		}
		synctest.Wait()
		for i := range frames / 2 {
			s.AckLink(uint64(i + 1))
		}
		b.Done(s, conn, transport.ConnLost)
		for i, outcome := range outcomes {
			expected := session.Acked
			if i >= frames/2 {
				expected = session.Kept
			}
			if o, _ := outcome(); o != expected {
				t.Errorf("frame %d: outcome %d, want %d", i, o, expected)
			}
		}
	})
}

// TestAwaitedIsForgottenWithItsCaller: a caller who stops waiting leaves the frame, and nothing else.
func TestAwaitedIsForgottenWithItsCaller(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 3 {
			if o := b.Await("1", frame.New("push")).Wait(ctx); o != session.Queued {
				t.Errorf("outcome %d", o)
			}
		}
		if s.Awaited() != 0 {
			t.Error("the session remembers who waited")
		}
		want(t, conn, "push", "push", "push")
		s.AckLink(3)
	})
}
