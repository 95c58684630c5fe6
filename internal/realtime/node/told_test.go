package node_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

var turnNames = map[session.Turn]string{session.Opened: "opened", session.Resumed: "resumed", session.Lost: "lost", session.Over: "over"}

// TestTurnsOfASession: what happens to sessions is told, once and in order, with the code that their clients got.
func TestTurnsOfASession(t *testing.T) {
	resumable := session.Options{ID: "1", User: "bob", Resume: true}
	for name, test := range map[string]struct {
		options session.Options
		do      func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn)
		want    []string
	}{
		"ended by the client": {resumable, func(_ *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			b.Done(s, conn, transport.Ended)
		}, []string{"opened", "over 4003"}},
		"lost, and not resumable": {session.Options{ID: "1", User: "bob"}, func(_ *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			b.Done(s, conn, transport.ConnLost)
		}, []string{"opened", "over 3006"}},
		"lost, resumed, and lost for good": {resumable, func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			t.Helper()
			b.Done(s, conn, transport.ConnLost)
			back := transporttest.NewConn()
			if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back, Ticket: s.Ticket()}); !ok {
				t.Fatal("not resumed")
			}
			b.Done(s, conn, transport.ConnLost) // of the old connection: nothing
			b.Done(s, back, transport.ConnLost)
			time.Sleep(time.Hour) // longer than any window
			synctest.Wait()
		}, []string{"opened", "lost 3006", "resumed", "lost 3006", "over 3006"}},
		"resumed while it has a connection": {resumable, func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			t.Helper()
			back := transporttest.NewConn()
			if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back, Ticket: s.Ticket()}); !ok {
				t.Fatal("not resumed")
			}
			b.Done(s, conn, transport.ConnLost)
		}, []string{"opened", "lost 4000", "resumed"}},
		"closed to come back": {resumable, func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			t.Helper()
			b.Kick(t.Context(), s, transport.Disconnect{Code: 3500, Reason: "new version"})
			b.Done(s, conn, transport.ConnLost)
		}, []string{"opened", "lost 3500"}},
		"closed for good": {resumable, func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			t.Helper()
			b.Kick(t.Context(), s, transport.Kicked)
			b.Done(s, conn, transport.ConnLost)
			b.End(s, transport.Shutdown) // once is enough
		}, []string{"opened", "over 4001"}},
		"gone to another node": {resumable, func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			t.Helper()
			c := b.Take(s, &session.Return{Ticket: s.Ticket()}, 1<<20, transport.Replaced)
			if c == nil {
				t.Fatal("not taken")
			}
			b.Done(s, conn, transport.ConnLost)
			came, subs, err := session.Restore(b.Core(), c, session.Arrival{Source: func(*session.Session, string) session.Source { return nil }})
			if err != nil {
				t.Fatal(err)
			}
			b.Receive(came, subs, nil) // which is the same node here
			if _, _, ok := b.Resume("1", "bob", session.Return{Conn: transporttest.NewConn(), Ticket: came.Ticket()}); !ok {
				t.Fatal("not resumed")
			}
		}, []string{"opened", "lost 4000", "resumed"}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, b *bench) {
				var told []string
				b.Core().OnEvent(func(e session.Event) {
					what := turnNames[e.Turn]
					if e.Why.Code != 0 {
						what += fmt.Sprint(" ", e.Why.Code)
					}
					told = append(told, what)
					if e.Session.ID != "1" || e.At.IsZero() {
						t.Errorf("told %+v", e)
					}
				})
				s, conn := b.connect(test.options, 0)
				test.do(t, b, s, conn)
				if !slices.Equal(told, test.want) {
					t.Errorf("told %q, want %q", told, test.want)
				}
			})
		})
	}
}
