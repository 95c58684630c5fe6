package node_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// Two formats that a session can change between, and one that it cannot leave.
var (
	lower = decodable("lower", strings.ToLower)
	upper = decodable("upper", strings.ToUpper)
)

func decodable(name string, as func(string) string) *frame.Format {
	return frame.NewFormat(frame.Encoders{
		Name: name,
		Body: func(dst []byte, payload any) ([]byte, error) { return append(dst, as(payload.(string))...), nil },
		Decode: func(body []byte) (any, error) {
			if strings.EqualFold(string(body), "broken") {
				return nil, errors.New("cannot be read again")
			}
			return string(body), nil
		},
	})
}

// held opens a session that holds back what is offered.
func (b *bench) held(id string, gid int64) (*session.Session, *transporttest.Conn) {
	conn := transporttest.NewConn()
	s := session.New(b.Core(), session.Options{ID: id, User: "bob", GID: gid, Format: lower, Resume: true, Hold: true}, conn, time.Time{})
	b.Open(s)
	s.Continue(conn)
	return s, conn
}

func TestHold(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.held("1", 0)
		if o := b.Push("1", frame.New("first")); o != session.Kept {
			t.Errorf("a push to a session that holds back: %v", o)
		}
		if o := b.PushConnected("bob", frame.New("no")); o != session.Gone {
			t.Errorf("a push for the connected: %v", o)
		}
		if got := b.Broadcast(frame.New("no")); got != (session.Outcomes{session.Gone: 1}) {
			t.Errorf("a broadcast: %v", got)
		}
		if o := b.Push("1", frame.New(strings.Repeat("x", testConfig.QueueBytes))); o != session.Full {
			t.Errorf("more than the session may hold: %v", o)
		}
		s.Reply(frame.New("reply"))
		want(t, conn, "reply")
		s.Release(0, frame.New("let in"))
		s.Release(0, frame.New("again"))
		if o := b.Push("1", frame.New("live")); o != session.Queued {
			t.Errorf("a push afterwards: %v", o)
		}
		want(t, conn, "reply", "let in", "first", "again", "live")
		for i, g := range conn.Got() {
			if g.Link != uint64(i+1) {
				t.Errorf("%q has number %d", g.Text, g.Link)
			}
		}
		b.End(s, transport.Ended)
		if o := b.Push("1", frame.New("late")); o != session.Gone {
			t.Errorf("a push to a session that has ended: %v", o)
		}
	})
}

// TestResumeInAnotherFormat: what is unacknowledged comes again in the format of the new connection.
func TestResumeInAnotherFormat(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.held("1", 0)
		s.Release(0, frame.New("a"))
		b.Push("1", frame.New("b"))
		want(t, conn, "a", "b")
		back := transporttest.NewConn()
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back, Format: upper, Proven: true, Last: 1}); !ok {
			t.Fatal("not resumed")
		}
		b.Push("1", frame.New("c"))
		s.Continue(back)
		want(t, back, "B", "C")
		b.Push("1", frame.New("broken"))
		synctest.Wait()
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: transporttest.NewConn(), Format: lower, Proven: true, Last: 3}); ok {
			t.Error("resumed without a frame that cannot be read again")
		}
		if _, closed := back.Closed(); closed {
			t.Error("the connection was closed all the same")
		}
		b.Push("1", frame.New("d"))
		want(t, back, "B", "C", "BROKEN", "D")
	})
}

// TestResumeWhileReplaying: the client has frames from before a replay that was cut.
func TestResumeWhileReplaying(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.held("1", 0)
		s.Release(0, frame.New("a"))
		for _, text := range []string{"b", "c", "d"} {
			b.Push("1", frame.New(text))
		}
		want(t, conn, "a", "b", "c", "d")
		stuck := transporttest.NewConn()
		stuck.SetReading(false)
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: stuck, Proven: true, Last: 1}); !ok {
			t.Fatal("not resumed")
		}
		s.AckLink(2) // of what the first connection brought
		back := transporttest.NewConn()
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back, Proven: true, Last: 3}); !ok {
			t.Fatal("a number that was written was taken for one that never was")
		}
		s.Continue(back)
		want(t, back, "d")
		s.AckLink(1000)
		if st := s.Stats(); st.QueueFrames != 0 {
			t.Errorf("%d frames after everything was acknowledged", st.QueueFrames)
		}
	})
}

func TestAssign(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, _ := b.held("1", 7)
		s.Release(0, frame.New("let in"))
		b.Assign(s, 8)
		if old, now := b.PushGID(7, frame.New("x")), b.PushGID(8, frame.New("x")); old != session.Gone || now != session.Queued || s.CurrentGID() != 8 {
			t.Errorf("under the older gid %v, under the newer %v", old, now)
		}
		b.Assign(s, 0)
		if o := b.PushGID(8, frame.New("x")); o != session.Gone {
			t.Errorf("without a gid: %v", o)
		}
		b.Assign(s, 9)
		b.End(s, transport.Ended)
		b.Assign(s, 10) // too late
		if nine, ten := b.PushGID(9, frame.New("x")), b.PushGID(10, frame.New("x")); nine != session.Gone || ten != session.Gone {
			t.Errorf("after the end: %v, %v", nine, ten)
		}
	})
}

func TestSucceed(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		first, _ := b.held("1", 0)
		second, _ := b.held("2", 0)
		b.Succeed(first, second)
		if b.Session("1") != first {
			t.Error("the older session is not found any more, and has not ended")
		}
		b.End(first, transport.Replaced)
		last := second
		for _, id := range []string{"3", "4", "5", "6", "7", "8", "9", "10"} {
			next, _ := b.held(id, 0)
			b.Succeed(last, next)
			b.End(last, transport.Replaced)
			last = next
		}
		if b.Session("2") != last || b.Session("9") != last {
			t.Error("an older id does not lead to the last session")
		}
		if s := b.Session("1"); s != nil {
			t.Errorf("more ids than are kept: %v", s.ID)
		}
		b.End(last, transport.Ended)
		if s := b.Session("9"); s != nil {
			t.Errorf("after the end: %v", s.ID)
		}
		third, _ := b.held("11", 0)
		b.Succeed(third, last) // has ended already
		b.End(third, transport.Ended)
		if s := b.Session("11"); s != nil {
			t.Errorf("a successor that has ended: %v", s.ID)
		}
	})
}
