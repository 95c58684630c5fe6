package node_test

import (
	"context"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// settled returns how many targets that had waited have had which end.
func settled(t *testing.T, m *session.Metrics) map[string]int {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]int{}
	for _, f := range families {
		if f.GetName() != "hermod_session_settled_pushes_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if n := int(m.GetCounter().GetValue()); n > 0 {
				ends[m.GetLabel()[0].GetValue()] = n
			}
		}
	}
	return ends
}

func wantSettled(t *testing.T, b *bench, want map[string]int) {
	t.Helper()
	synctest.Wait()
	if got := settled(t, b.Core().Metrics); !maps.Equal(got, want) {
		t.Errorf("settled %v, want %v", got, want)
	}
}

// back resumes the session of bob.
func (b *bench) back(t *testing.T, s *session.Session) *transporttest.Conn {
	t.Helper()
	conn := transporttest.NewConn()
	if _, _, ok := b.Resume(s.ID, s.User, session.Return{Conn: conn, Proven: true}); !ok {
		t.Fatal("not resumed")
	}
	s.Continue(conn)
	return conn
}

// TestA8SettledInSessions: every target that was answered queued has one end, and no other target has.
func TestA8SettledInSessions(t *testing.T) {
	for name, test := range map[string]struct {
		play func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn)
		want map[string]int
	}{
		"to a connected session": {func(_ *testing.T, b *bench, s *session.Session, _ *transporttest.Conn) {
			b.Push("1", frame.New("push"))
			synctest.Wait()
			s.AckLink(1)
		}, nil},
		"acknowledged after a resume": {func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			b.Done(s, conn, transport.ConnLost)
			b.Push("1", frame.New("push"))
			b.PushUser("bob", frame.New("push"))
			want(t, b.back(t, s), "push", "push")
			wantSettled(t, b, map[string]int{})
			s.AckLink(2)
		}, map[string]int{"delivered": 2}},
		"expired while its client is away": {func(_ *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			b.Done(s, conn, transport.ConnLost)
			b.Push("1", until(time.Second, "push"))
			b.Push("1", frame.New("push"))
			time.Sleep(3 * time.Second)
		}, map[string]int{"expired": 1}},
		"the session ends with it": {func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			b.Done(s, conn, transport.ConnLost)
			b.Push("1", frame.New("push"))
			want(t, b.back(t, s), "push")
			b.End(s, transport.Ended)
		}, map[string]int{"unknown": 1}},
		"the window ends before it was written": {func(_ *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			b.Done(s, conn, transport.ConnLost)
			b.Push("1", frame.New("push"))
			time.Sleep(2 * time.Minute)
		}, map[string]int{"dropped": 1}},
		"waited for, and not in time": {func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			for _, leave := range []bool{true, false} { // the second one has found its place elsewhere
				a := b.Await("1", frame.New("push"))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if o := a.Wait(ctx); o != session.Queued {
					t.Errorf("outcome %v", o)
				}
				cancel()
				if leave {
					a.Leave()
				}
			}
			b.Done(s, conn, transport.ConnLost)
			want(t, b.back(t, s), "push", "push")
			wantSettled(t, b, map[string]int{})
			s.AckLink(2)
		}, map[string]int{"delivered": 1}},
		"bound, and then acknowledged": {func(t *testing.T, b *bench, s *session.Session, conn *transporttest.Conn) {
			s.Asked(1)
			b.PushBound(b.OfUser("bob"), frame.New("push"), false, session.Bound{Request: 1})
			s.Answer(1, frame.New("answer"))
			want(t, conn, "push", "answer")
			s.AckLink(2)
		}, map[string]int{"delivered": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, b *bench) {
				s, conn := b.connect(session.Options{ID: "1", User: "bob", Resume: true, Numbered: true}, 0)
				test.play(t, b, s, conn)
				wantSettled(t, b, test.want)
			})
		})
	}
}

// TestA8SettledOnce: a target with several sessions ends once, with the best that became of it.
func TestA8SettledOnce(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		first, one := b.connect(session.Options{ID: "1", User: "bob", Resume: true}, 0)
		second, two := b.connect(session.Options{ID: "2", User: "bob", Resume: true}, 0)
		b.Done(first, one, transport.ConnLost)
		b.Done(second, two, transport.ConnLost)
		if o := b.PushUser("bob", frame.New("push")); o != session.Kept {
			t.Fatalf("outcome %v", o)
		}
		b.End(first, transport.ConnLost)
		wantSettled(t, b, map[string]int{})
		want(t, b.back(t, second), "push")
		second.AckLink(1)
		wantSettled(t, b, map[string]int{"delivered": 1})
		// With a connected one it is delivered, and what waits in the other is no matter any more.
		third, three := b.connect(session.Options{ID: "3", User: "bob", Resume: true}, 0)
		b.Done(third, three, transport.ConnLost)
		if o := b.PushUser("bob", frame.New("push")); o != session.Queued {
			t.Fatalf("outcome %v", o)
		}
		b.End(third, transport.ConnLost)
		wantSettled(t, b, map[string]int{"delivered": 1})
	})
}
