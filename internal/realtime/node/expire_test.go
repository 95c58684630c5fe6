package node_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

func until(d time.Duration, text string) *frame.Frame {
	return frame.NewUntil(text, time.Now().Add(d))
}

// TestExpiredBeforeLogin: what is held back and expires is not written afterwards.
func TestExpiredBeforeLogin(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.held("1", 0)
		b.Push("1", until(time.Second, "short"))
		b.Push("1", frame.New("for ever"))
		b.Push("1", until(time.Minute, "long"))
		time.Sleep(2 * time.Second)
		s.Release(0, frame.New("let in"))
		want(t, conn, "let in", "for ever", "long")
	})
}

// TestExpiredWhileAway: what was written once comes again, whatever its age; what was never written and
// has expired leaves no hole in the numbers.
func TestExpiredWhileAway(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		b.Push("1", until(time.Second, "written"))
		want(t, conn, "written")
		b.Done(s, conn, transport.ConnLost)
		for _, f := range []*frame.Frame{until(time.Second, "short"), frame.New("for ever"), until(time.Second, "short too"), until(time.Minute, "long")} {
			if o := b.Push("1", f); o != session.Kept {
				t.Fatalf("outcome %d", o)
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if st := s.Stats(); st.QueueFrames != 3 {
			t.Errorf("%d frames wait", st.QueueFrames)
		}
		back := transporttest.NewConn()
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back, Proven: true}); !ok {
			t.Fatal("not resumed")
		}
		s.Continue(back)
		want(t, back, "written", "for ever", "long")
		for i, g := range back.Got() {
			if g.Link != uint64(i+1) {
				t.Errorf("%q has number %d", g.Text, g.Link)
			}
		}
		s.AckLink(3)
		if st := s.Stats(); st.QueueFrames != 0 || st.QueueBytes != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestExpiredWhileAwaited: whoever waits hears of it, and those behind it are acknowledged by the numbers
// that they have then.
func TestExpiredWhileAwaited(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		conn.SetReading(false)
		b.Push("1", frame.New("stuck"))
		synctest.Wait() // it is on its way, and what follows waits
		first := waitFor(t, b.AwaitUser("bob", frame.New("first"), false))
		short := waitFor(t, b.AwaitUser("bob", until(time.Second, "short"), false))
		last := waitFor(t, b.AwaitUser("bob", frame.New("last"), false))
		if o, after := short(); o != session.Expired || after > 3*time.Second {
			t.Errorf("outcome %d after %v", o, after)
		}
		conn.SetReading(true)
		want(t, conn, "stuck", "first", "last")
		s.AckLink(2)
		if o, _ := first(); o != session.Acked {
			t.Errorf("the first: %d", o)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if o := b.AwaitUser("bob", frame.New("other"), false).Wait(ctx); o != session.Queued {
			t.Errorf("another one: %d", o)
		}
		s.AckLink(3)
		if o, after := last(); o != session.Acked || after == time.Minute {
			t.Errorf("the last: %d after %v", o, after)
		}
	})
}

// TestExpiredBeforeTheAnswer: what is bound to an answer does not wait for it for longer than it is worth, and whoever
// waits hears of that.
func TestExpiredBeforeTheAnswer(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.opened("1", true)
		all := []*session.Session{s}
		s.Asked(1)
		b.PushBound(all, until(500*time.Millisecond, "shortest"), false, session.Bound{Request: 1})
		time.Sleep(600 * time.Millisecond)
		s.Answer(1, frame.New("at once"))
		want(t, conn, "at once")
		s.Asked(2)
		b.PushBound(all, until(time.Second, "short"), false, session.Bound{Request: 2})
		b.PushBound(all, until(time.Minute, "long"), false, session.Bound{Request: 2, After: true})
		awaited := b.AwaitBound(all, until(time.Second, "awaited"), false, session.Bound{Request: 2})
		begun := time.Now()
		if o := awaited.Wait(t.Context()); o != session.Expired || time.Since(begun) > 3*time.Second {
			t.Errorf("outcome %d after %v", o, time.Since(begun))
		}
		s.Answer(2, frame.New("answer"))
		want(t, conn, "at once", "answer", "long")
	})
}
