package node_test

import (
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

func (b *bench) opened(id string, numbered bool) (*session.Session, *transporttest.Conn) {
	conn := transporttest.NewConn()
	s := session.New(b.Core(), session.Options{ID: id, User: "bob", Format: lower, Resume: true, Numbered: numbered}, conn, time.Time{})
	b.Open(s)
	s.Continue(conn)
	return s, conn
}

// TestBoundForSessionsWithoutNumbers: they have it at once, and do not decide for those with numbers.
func TestBoundForSessionsWithoutNumbers(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		plain, plainConn := b.opened("1", false)
		numbered, conn := b.opened("2", true)
		all := []*session.Session{plain, numbered}
		if o := b.PushBound(all, frame.New("unseen"), false, session.Bound{Request: 1}); o != session.Queued {
			t.Errorf("got %v", o)
		}
		want(t, plainConn, "unseen")
		want(t, conn)
		numbered.Asked(1)
		numbered.Answer(1, frame.New("answer"))
		want(t, conn, "unseen", "answer")
		numbered.Asked(2)
		b.PushBound(all, frame.New("open"), false, session.Bound{Request: 2, After: true})
		want(t, plainConn, "unseen", "open")
		numbered.Answer(2, frame.New("second"))
		want(t, conn, "unseen", "answer", "second", "open")
		if o := b.PushBound(nil, frame.New("nobody"), false, session.Bound{Request: 2}); o != session.Gone {
			t.Errorf("to nobody: %v", o)
		}
	})
}

// TestBoundToASessionThatEnds: whoever waits is told, and nothing is kept.
func TestBoundToASessionThatEnds(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, _ := b.opened("1", true)
		s.Asked(1)
		a := b.AwaitBound([]*session.Session{s}, frame.New("x"), false, session.Bound{Request: 1})
		if s.Awaited() != 1 {
			t.Errorf("%d are awaited", s.Awaited())
		}
		b.End(s, transport.Ended)
		if o := a.Wait(t.Context()); o != session.Gone {
			t.Errorf("got %v", o)
		}
		s.Asked(2)
		s.Answer(1, frame.New("late"))
		if o := b.PushBound([]*session.Session{s}, frame.New("x"), false, session.Bound{Request: 2}); o != session.Gone {
			t.Errorf("a push to a session that has ended: %v", o)
		}
	})
}
