package node_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// mailbox is a log that goes before what is offered. Its pages are read when the test lets them.
type mailbox struct {
	mu       sync.Mutex
	letters  []session.Entry
	received int64
	missed   []int64
	open     chan struct{} // closed: it can be read
}

func newMailbox(letters ...string) *mailbox {
	m := &mailbox{open: make(chan struct{})}
	for i, text := range letters {
		m.letters = append(m.letters, session.Entry{Seq: int64(i + 1), Frame: frame.New(text)})
	}
	return m
}

func (m *mailbox) Page(ctx context.Context, after int64, limit int) ([]session.Entry, error) {
	select {
	case <-m.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	page := slices.Clone(m.letters[min(int(after), len(m.letters)):])
	return page[:min(limit, len(page))], nil
}

func (m *mailbox) Received(seq int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.received = max(m.received, seq)
}

func (m *mailbox) Missed(seq int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missed = append(m.missed, seq)
}

// withMail opens a session that reads a mailbox.
func (b *bench) withMail(m *mailbox, o session.Options) (*session.Session, *transporttest.Conn) {
	conn := transporttest.NewConn()
	o.ID, o.User, o.Format = "1", "bob", lower
	s := session.New(b.Core(), o, conn, time.Time{})
	begin := b.Attach(s, "mail", m, 0)
	b.Open(s)
	s.Continue(conn)
	begin()
	return s, conn
}

// TestWhatLeadsGoesFirst: whatever is offered while a leading log is read comes behind it, in order and
// once; answers do not wait.
func TestWhatLeadsGoesFirst(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		m := newMailbox("kept 1", "kept 2")
		s, conn := b.withMail(m, session.Options{Resume: true})
		for _, offer := range []func(*frame.Frame) session.Offered{
			func(f *frame.Frame) session.Offered { return b.Push("1", f) },
			func(f *frame.Frame) session.Offered { return b.PushConnected("bob", f) },
			func(f *frame.Frame) session.Offered {
				outcomes := b.Audience(f).Next(1)
				return session.Offered(slices.Index(outcomes[:], 1))
			},
		} {
			if o := offer(frame.New("live")); o != session.Queued {
				t.Errorf("outcome %v of an offer to a connected session", o)
			}
		}
		s.Reply(frame.New("answer"))
		want(t, conn, "answer")
		close(m.open)
		want(t, conn, "answer", "kept 1", "kept 2", "live", "live", "live")
		b.Push("1", frame.New("later"))
		want(t, conn, "answer", "kept 1", "kept 2", "live", "live", "live", "later")
		s.AckLink(7)
		if m.received != 2 {
			t.Errorf("received up to %d", m.received)
		}
		// It grows: what is offered from then on waits again.
		m.letters = append(m.letters, session.Entry{Seq: 3, Frame: frame.New("kept 3")})
		b.Publish(&frame.Publication{Channel: "mail", Seq: 3})
		b.Push("1", frame.New("last"))
		want(t, conn, "answer", "kept 1", "kept 2", "live", "live", "live", "later", "kept 3", "last")
	})
}

// TestWhatWaitsBehindALeadingLogOutlivesTheConnection: it comes behind the log on the next one.
func TestWhatWaitsBehindALeadingLogOutlivesTheConnection(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		m := newMailbox("kept")
		s, conn := b.withMail(m, session.Options{Resume: true})
		b.Push("1", frame.New("before"))
		awaited := b.AwaitUser("bob", frame.New("awaited"), false)
		b.Done(s, conn, transport.ConnLost)
		if o := awaited.Wait(t.Context()); o != session.Kept {
			t.Errorf("who waits is told %v", o)
		}
		b.Push("1", frame.New("meanwhile"))
		close(m.open)
		back := transporttest.NewConn()
		if _, _, ok := b.Resume("1", "bob", session.Return{Conn: back, Proven: true}); !ok {
			t.Fatal("not resumed")
		}
		s.Continue(back)
		want(t, back, "kept", "before", "awaited", "meanwhile")
	})
}

// TestALeadingLogOfAClosedSession: nobody waits for what waited behind it.
func TestALeadingLogOfAClosedSession(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		m := newMailbox("kept")
		s, _ := b.withMail(m, session.Options{})
		awaited := b.AwaitUser("bob", frame.New("awaited"), false)
		b.End(s, transport.Ended)
		if o := awaited.Wait(t.Context()); o != session.Gone {
			t.Errorf("who waits is told %v", o)
		}
		close(m.open)
	})
}

// TestWhatWaitsBehindALeadingLogIsBounded: there is as much room as in the queue, and not more.
func TestWhatWaitsBehindALeadingLogIsBounded(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		m := newMailbox("kept")
		_, conn := b.withMail(m, session.Options{})
		taken := 0
		for b.Push("1", frame.New(strconv.Itoa(taken))) == session.Queued {
			taken++
		}
		if o := b.Push("1", frame.New("one more")); o != session.Full || taken == 0 {
			t.Errorf("%v after %d were taken", o, taken)
		}
		close(m.open)
		synctest.Wait()
		got := conn.Texts()
		if len(got) != taken+1 || got[0] != "kept" || got[taken] != strconv.Itoa(taken-1) {
			t.Errorf("%d frames came of %d, the last %q", len(got), taken+1, got[len(got)-1])
		}
	})
}

// TestALeadingLogIsToldWhatExpired: an entry that expired in the queue, and no other.
func TestALeadingLogIsToldWhatExpired(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		m := newMailbox("for ever", "", "long")
		m.letters[1].Frame, m.letters[2].Frame = until(time.Second, "short"), until(time.Minute, "long")
		close(m.open)
		conn := transporttest.NewConn()
		s := session.New(b.Core(), session.Options{ID: "1", User: "bob", Format: lower, Resume: true}, conn, time.Time{})
		begin := b.Attach(s, "mail", m, 0)
		b.Open(s)
		begin() // it is read, and nothing is written before the client has been greeted
		time.Sleep(3 * time.Second)
		s.Continue(conn)
		want(t, conn, "for ever", "long")
		if !slices.Equal(m.missed, []int64{2}) {
			t.Errorf("missed %v", m.missed)
		}
	})
}
