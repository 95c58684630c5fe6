package hub_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/hub"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// bench is a hub whose sessions are written to connections in memory.
type bench struct {
	*hub.Hub
	core *session.Core
}

func newBench() *bench {
	core := session.NewCore(session.Config{QueueBytes: 1 << 20}, slog.New(slog.DiscardHandler))
	return &bench{hub.New(core.Writer, core.Log), core}
}

// write writes what is queued, until the returned function is called.
func (b *bench) write(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.core.Writer.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func (b *bench) add(o session.Options) (*session.Session, *transporttest.Conn) {
	conn := transporttest.NewConn()
	o.Format = transporttest.Text
	s := session.New(b.core, o, conn, time.Time{})
	b.Add(s)
	s.Continue(conn)
	return s, conn
}

func (b *bench) remove(s *session.Session) {
	if subs, ok := s.Close(transport.Ended); ok {
		b.Remove(s, subs)
	}
}

// wantEmpty fails if the indexes know anything.
func (b *bench) wantEmpty(t *testing.T, users, channels []string) {
	t.Helper()
	if n := b.Channels(); n != 0 {
		t.Errorf("%d channels are left", n)
	}
	if n := len(b.All()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	for _, u := range users {
		if n := len(b.OfUser(u)); n != 0 {
			t.Errorf("%d sessions of %s are left", n, u)
		}
	}
	for _, c := range channels {
		if b.Followed(c) {
			t.Errorf("%s is followed", c)
		}
	}
}

func TestIndexes(t *testing.T) {
	t.Parallel()
	b := newBench()
	phone, _ := b.add(session.Options{ID: "1", User: "alice", GID: 7})
	tablet, _ := b.add(session.Options{ID: "2", User: "alice", GID: 8})
	other, _ := b.add(session.Options{ID: "3", User: "bob"})

	if got := b.OfUser("alice"); len(got) != 2 || !slices.Contains(got, phone) || !slices.Contains(got, tablet) {
		t.Errorf("of alice: %v", got)
	}
	if got := b.OfGID(7); !slices.Equal(got, []*session.Session{phone}) {
		t.Errorf("of gid 7: %v", got)
	}
	if got := b.OfGID(0); len(got) != 0 {
		t.Errorf("no gid is a gid: %v", got)
	}
	if b.Session("3") != other || b.Session("4") != nil || len(b.All()) != 3 {
		t.Error("sessions are not found by their id")
	}
	b.remove(phone)
	if got := b.OfUser("alice"); !slices.Equal(got, []*session.Session{tablet}) || b.Session("1") != nil || len(b.OfGID(7)) != 0 {
		t.Errorf("after one was removed: %v", got)
	}
	b.remove(tablet)
	b.remove(other)
	b.wantEmpty(t, []string{"alice", "bob"}, nil)
}

func TestAChannelLivesAsLongAsItIsFollowed(t *testing.T) {
	t.Parallel()
	b := newBench()
	s, _ := b.add(session.Options{ID: "1", User: "alice"})
	o, _ := b.add(session.Options{ID: "2", User: "bob"})
	if b.Subscribe(s, "room", nil, 0) == nil || b.Subscribe(o, "room", nil, 0) == nil {
		t.Fatal("not subscribed")
	}
	if b.Subscribe(s, "room", nil, 0) != nil {
		t.Error("subscribed twice")
	}
	if !b.Unsubscribe(s, "room") || b.Unsubscribe(s, "room") {
		t.Error("unsubscribed other than once")
	}
	if !b.Followed("room") || b.Channels() != 1 {
		t.Error("forgotten although it is followed")
	}
	b.remove(o)
	if b.Followed("room") {
		t.Error("followed by nobody")
	}
	if b.Subscribe(o, "room", nil, 0) != nil || b.Followed("room") {
		t.Error("a session that has ended was subscribed")
	}
	b.remove(s)
	b.wantEmpty(t, []string{"alice", "bob"}, []string{"room"})
}

// TestRaces does everything at once and at random. What matters is that the race detector is
// silent, and that nothing is left when all sessions have ended.
func TestRaces(t *testing.T) {
	t.Parallel()
	b := newBench()
	stop := b.write(t)
	var users, channels []string
	for i := range 5 {
		users, channels = append(users, fmt.Sprint("user", i)), append(channels, fmt.Sprint("room", i))
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			channel := func() string { return channels[r.IntN(len(channels))] }
			for round := range 20 {
				s, _ := b.add(session.Options{ID: fmt.Sprint(i, "-", round), User: users[r.IntN(len(users))], GID: int64(r.IntN(3))})
				for range 50 {
					some := b.All()[0] // there is one, s at least
					switch r.IntN(6) {
					case 0:
						b.Subscribe(some, channel(), nil, 0)
					case 1:
						b.Unsubscribe(some, channel())
					case 2:
						b.Deliver(&frame.Publication{Channel: channel(), Frame: frame.New("x"), Origin: some.ID})
					case 3:
						b.OfUser(users[0])
						b.OfGID(1)
						b.Followed(channel())
					default:
						b.Subscribe(s, channel(), nil, 0)
					}
				}
				b.remove(s)
			}
		})
	}
	wg.Wait()
	stop()
	b.wantEmpty(t, users, channels)
}

// TestOneOrderForAll publishes from many goroutines at once.
func TestOneOrderForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const publishers, each = 8, 50
		b := newBench()
		defer b.write(t)()
		var conns []*transporttest.Conn
		for i := range 20 {
			s, conn := b.add(session.Options{ID: fmt.Sprint(i), User: fmt.Sprint("user", i)})
			b.Subscribe(s, "room", nil, 0)
			conns = append(conns, conn)
		}
		var wg sync.WaitGroup
		for i := range publishers {
			wg.Go(func() {
				for k := range each {
					b.Deliver(&frame.Publication{Channel: "room", Frame: frame.New(fmt.Sprint(i, "-", k))})
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		want := conns[0].Texts()
		if len(want) != publishers*each {
			t.Fatalf("%d of %d delivered", len(want), publishers*each)
		}
		for i, c := range conns {
			if got := c.Texts(); !slices.Equal(got, want) {
				t.Errorf("subscriber %d saw another order", i)
			}
		}
	})
}

// TestNothingTwice lets one session leave a channel and come back, in two goroutines, while there
// is traffic: it may miss what came in between, and sees nothing twice.
func TestNothingTwice(t *testing.T) {
	t.Parallel()
	b := newBench()
	stop := b.write(t)
	s, conn := b.add(session.Options{ID: "1", User: "alice"})
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					b.Unsubscribe(s, "room")
					b.Subscribe(s, "room", nil, 0)
				}
			}
		})
	}
	for i := 0; i < 20_000 || conn.Writes() == 0; i++ { // until the two were there at least once
		b.Deliver(&frame.Publication{Channel: "room", Frame: frame.New(fmt.Sprint(i))})
	}
	close(done)
	wg.Wait()
	drained := s.Drained()
	<-drained
	stop()
	seen := map[string]bool{}
	for _, text := range conn.Texts() {
		if seen[text] {
			t.Fatalf("%s came twice", text)
		}
		seen[text] = true
	}
}

func TestTheReplyReachesASenderWhoDoesNotFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		defer b.write(t)()
		_, asks := b.add(session.Options{ID: "asks", User: "alice", Replies: true})
		_, silent := b.add(session.Options{ID: "silent", User: "alice"})
		follows, replied := b.add(session.Options{ID: "follows", User: "alice", Replies: true})
		b.Subscribe(follows, "room", nil, 0)
		for _, origin := range []string{"asks", "silent", "follows", "gone"} {
			b.Deliver(&frame.Publication{
				Channel: "room", Frame: frame.New("from " + origin), Origin: origin, Reply: frame.New("reply to " + origin),
			})
		}
		b.Deliver(&frame.Publication{Channel: "unknown", Frame: frame.New("x"), Origin: "asks"}) // has no reply
		synctest.Wait()
		for name, test := range map[string]struct {
			conn *transporttest.Conn
			want []string
		}{
			"asks":    {asks, []string{"reply to asks"}},
			"silent":  {silent, []string{}},
			"follows": {replied, []string{"from asks", "from silent", "reply to follows", "from gone"}},
		} {
			if got := test.conn.Texts(); !slices.Equal(got, test.want) {
				t.Errorf("%s got %q, want %q", name, got, test.want)
			}
		}
	})
}

// TestTheReplyReachesASenderWhoIsLeaving: his session knows that it has left before the channel does.
func TestTheReplyReachesASenderWhoIsLeaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		defer b.write(t)()
		s, conn := b.add(session.Options{ID: "1", User: "alice", Replies: true})
		b.Subscribe(s, "room", nil, 0)
		s.Remove("room")
		b.Deliver(&frame.Publication{Channel: "room", Frame: frame.New("x"), Origin: "1", Reply: frame.New("reply")})
		synctest.Wait()
		if got := conn.Texts(); !slices.Equal(got, []string{"reply"}) {
			t.Errorf("got %q", got)
		}
	})
}
