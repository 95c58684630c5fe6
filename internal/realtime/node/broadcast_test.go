package node_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

func TestBroadcastCounts(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		_, a := b.connect(session.Options{ID: "1", User: "alice"}, 0)
		s, conn := b.connect(session.Options{ID: "2", User: "bob", Resume: true}, 0)
		b.Done(s, conn, transport.ConnLost)
		if got := b.Broadcast(frame.New("all")); got != (session.Outcomes{session.Queued: 1, session.Kept: 1}) {
			t.Errorf("offered to %v", got)
		}
		want(t, a, "all")
	})
}

// TestBroadcastsHaveOneOrder: broadcasts that are made at the same time reach every session once, in one
// order, and each is told of every session.
func TestBroadcastsHaveOneOrder(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		const callers, each, sessions = 8, 30, 20
		cfg := testConfig
		cfg.QueueBytes = 1 << 20
		b.Core().SetConfig(cfg)
		var conns []*transporttest.Conn
		for i := range sessions {
			_, conn := b.connect(session.Options{ID: fmt.Sprint(i), User: fmt.Sprint("user", i)}, 0)
			conns = append(conns, conn)
		}
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for i := range each {
					if got := b.Broadcast(frame.New(fmt.Sprint(c, " ", i))); got != (session.Outcomes{session.Queued: sessions}) {
						t.Errorf("offered to %v", got)
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		first := conns[0].Texts()
		for i, conn := range conns {
			if !slices.Equal(conn.Texts(), first) {
				t.Errorf("session %d has another order than the first", i)
			}
		}
		for c := range callers {
			last := -1
			for i := range each {
				at := slices.Index(first, fmt.Sprint(c, " ", i))
				if at <= last {
					t.Errorf("broadcast %d of caller %d is at %d, the one before at %d", i, c, at, last)
				}
				last = at
			}
		}
		if len(first) != callers*each {
			t.Errorf("%d frames came, of %d", len(first), callers*each)
		}
	})
}

// fragile is a format that has a fault.
var fragile = frame.NewFormat(frame.Encoders{
	Name: "fragile",
	Body: func(dst []byte, payload any) ([]byte, error) {
		if payload == "panic" {
			panic("a fault of the encoder")
		}
		return append(dst, payload.(string)...), nil
	},
})

// TestABroadcastThatPanicsHoldsUpNobody: whoever broadcasts next is served, as if nothing had been.
func TestABroadcastThatPanicsHoldsUpNobody(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		_, conn := b.member(fragile)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the fault was hidden")
				}
			}()
			b.Broadcast(frame.New("panic"))
		}()
		if got := b.Broadcast(frame.New("next")); got != (session.Outcomes{session.Queued: 1}) {
			t.Errorf("offered to %v", got)
		}
		want(t, conn, "next")
	})
}

// member opens a session of a format.
func (b *bench) member(format *frame.Format) (*session.Session, *transporttest.Conn) {
	conn := transporttest.NewConn()
	s := session.New(b.Core(), session.Options{ID: "1", User: "alice", Format: format}, conn, time.Time{})
	b.Open(s)
	s.Continue(conn)
	return s, conn
}

// TestAudience: who comes later is none of a broadcast; whoever goes on for somebody that was there is.
func TestAudience(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.connect(session.Options{ID: "1", User: "alice"}, 0)
		old, _ := b.connect(session.Options{ID: "2", User: "bob", Resume: true}, 0)
		gone, _ := b.connect(session.Options{ID: "3", User: "carol"}, 0)
		all := b.Audience(frame.New("all"))
		_, late := b.connect(session.Options{ID: "4", User: "dave"}, 0)
		next, heir := b.connect(session.Options{ID: "5", User: "bob", Resume: true}, 0)
		b.Succeed(old, next)
		b.End(old, transport.Replaced)
		b.End(gone, transport.Ended)
		var total session.Outcomes
		for all.Len() > 0 {
			for o, n := range all.Next(2) {
				total[o] += n
			}
		}
		if total != (session.Outcomes{session.Queued: 2, session.Gone: 1}) {
			t.Errorf("offered to %v", total)
		}
		want(t, heir, "all")
		want(t, late)
	})
}
