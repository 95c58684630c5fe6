package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// TestA5Resume loses the connection at every possible place: what the client sees over both
// connections is the whole log, with the same numbers.
func TestA5Resume(t *testing.T) {
	for lost := range 6 {
		run(t, func(t *testing.T, b *bench) {
			s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
			synctest.Wait()
			for range 5 {
				b.send("alice", "")
			}
			want(t, conn, numbers(1, 5)...)
			conn.Close(transport.ConnLost)
			b.Done(s, conn, transport.ConnLost)
			b.send("alice", "") // while away
			ticket := s.Ticket()

			back := transporttest.NewConn()
			_, next, ok := b.Resume("1", "bob", session.Return{Conn: back, Ticket: ticket, Last: uint64(lost)})
			if !ok || next == ticket {
				t.Fatalf("resume: %v, a new ticket: %v", ok, next != ticket)
			}
			want(t, back) // nothing before the greeting
			s.Continue(back)
			b.send("alice", "")
			want(t, back, numbers(lost+1, 7)...)
			for i, g := range back.Got() {
				if g.Link != uint64(lost+1+i) {
					t.Errorf("frame %q has number %d", g.Text, g.Link)
				}
			}
			s.AckLink(7)
			if got := b.log.position("bob"); got != 7 {
				t.Errorf("cursor %d after everything was acknowledged", got)
			}
		})
	}
}

// TestA5ResumeTwice: a client that comes back again while it is being greeted is greeted on its last connection
// before anything is written there.
func TestA5ResumeTwice(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		b.Done(s, conn, transport.ConnLost)
		b.send("alice", "")
		var back [2]*transporttest.Conn
		for i := range back {
			back[i] = transporttest.NewConn()
			if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back[i], Proven: true}); !ok {
				t.Fatal("not resumed")
			}
		}
		s.Continue(back[0])
		want(t, back[1])
		s.Continue(back[1])
		want(t, back[1], "1")
		want(t, back[0])
	})
}

func TestA5ResumeRefused(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		b.send("alice", "")
		b.send("alice", "")
		want(t, conn, "1", "2")
		s.AckLink(1)
		ticket := s.Ticket()
		for name, try := range map[string]struct {
			id, user, ticket string
			last             uint64
		}{
			"unknown session":         {"2", "bob", ticket, 1},
			"another user":            {"1", "eve", ticket, 1},
			"wrong ticket":            {"1", "bob", "guess", 1},
			"less than acknowledged":  {"1", "bob", ticket, 0},
			"more than was ever sent": {"1", "bob", ticket, 3},
		} {
			if _, _, ok := b.Resume(try.id, try.user, session.Return{Conn: transporttest.NewConn(), Ticket: try.ticket, Last: try.last}); ok {
				t.Errorf("%s: resumed", name)
			}
		}
		if _, closed := conn.Closed(); closed {
			t.Error("a refused attempt closed the connection")
		}
		// The right one takes the session over from a connection that seemed alive, once.
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: transporttest.NewConn(), Ticket: ticket, Last: 1}); !ok {
			t.Error("the right ticket was refused")
		}
		if why, closed := conn.Closed(); !closed || why.Code != transport.Replaced.Code {
			t.Errorf("the older connection: closed %v, %v", closed, why)
		}
		s.Heard() // the client has its answer
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: transporttest.NewConn(), Ticket: ticket, Last: 1}); ok {
			t.Error("a ticket was good twice")
		}
	})
}

// TestA5ResumeAnswerLost: the answers to a resume are lost, and the tickets in them. The client comes with
// the one that it has until it gets through, and everything that was offered meanwhile is there.
func TestA5ResumeAnswerLost(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		b.Push("1", frame.New("first"))
		want(t, conn, "first")
		b.Done(s, conn, transport.ConnLost)
		had := s.Ticket()
		var lost []string
		for range 3 {
			b.Push("1", frame.New("meanwhile"))
			back := transporttest.NewConn()
			_, next, ok := b.Resume("1", "bob", session.Return{Conn: back, Ticket: had, Last: 1})
			if !ok {
				t.Fatal("the only ticket that the client has was refused")
			}
			lost = append(lost, next)
			b.Done(s, back, transport.ConnLost)
		}
		for _, ticket := range lost[:2] {
			if _, _, ok := b.Resume("1", "bob", session.Return{Conn: transporttest.NewConn(), Ticket: ticket, Last: 1}); ok {
				t.Error("resumed with a ticket whose successor was given to somebody else")
			}
		}
		back := transporttest.NewConn()
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back, Ticket: had, Last: 1}); !ok {
			t.Fatal("not resumed")
		}
		s.Continue(back)
		want(t, back, "meanwhile", "meanwhile", "meanwhile")
		s.Heard()
		for _, ticket := range append(lost, had) {
			if _, _, ok := b.Resume("1", "bob", session.Return{Conn: transporttest.NewConn(), Ticket: ticket, Last: 1}); ok {
				t.Error("an older ticket is good although the client has got through")
			}
		}
	})
}

func TestTheResumeWindowEnds(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		b.Done(s, conn, transport.ConnLost)
		if o := b.PushConnected("bob", frame.New("push")); o != session.Gone {
			t.Errorf("a push for the connected to a detached session: %v", o)
		}
		if o := b.PushUser("bob", frame.New("push")); o != session.Kept {
			t.Errorf("a push to a detached session: %v", o)
		}
		time.Sleep(59 * time.Second)
		if s.State() != session.Detached || !b.Online("bob") {
			t.Errorf("after 59 s: %v, online %v", s.State(), b.Online("bob"))
		}
		time.Sleep(3 * time.Second)
		if s.State() != session.Closed {
			t.Errorf("after 62 s: %v", s.State())
		}
		if o := b.PushUser("bob", frame.New("push")); o != session.Gone {
			t.Errorf("a push to nobody: %v", o)
		}
	})
}

func TestPresenceGrace(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		s, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		b.Done(s, conn, transport.ConnLost)
		if !b.Online("bob") {
			t.Error("offline at once after a lost connection")
		}
		time.Sleep(11 * time.Second)
		if b.Online("bob") {
			t.Error("online after the grace window")
		}
		s, _ = b.connect(session.Options{ID: "2", User: "bob"}, 0)
		b.End(s, transport.Ended)
		if b.Online("bob") {
			t.Error("online after a clean end")
		}
	})
}
