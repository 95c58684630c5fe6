package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/upstream"

	"github.com/game-im/hermod/test/proxy"
)

// TestA7AtLeastOnceToTheClient: what a client has not acknowledged comes again.
func TestA7AtLeastOnceToTheClient(t *testing.T) {
	t.Parallel()
	n := Start(t, "session:\n  resume_window: 1s\n")
	im := n.Calls()
	join(t, im, "room", "alice", "bob")
	say(t, im, "room", "alice", numbers(1, 10)...)
	h := Hello{User: "bob", Room: "room", Capabilities: "resume"}

	s := n.Connect(h)
	expect(t, "at first", contents(s, 10), numbers(1, 10)...)
	s.Flush() // saying something acknowledges nothing
	s.Cut()
	s = n.Connect(h)
	got := s.Take(10)
	expect(t, "after no ack", said(got), numbers(1, 10)...)
	s.AckLink(4)
	s.AckLink(3) // late
	s.Flush()
	s.Cut()
	s = n.Connect(h)
	got = s.Take(6)
	expect(t, "after an ack of frames up to 4", said(got), numbers(5, 10)...)
	s.AckMessage("room", got[1].GetMessageId(), false)
	s.Flush()
	s.Cut()
	s = n.Connect(h)
	got = s.Take(4)
	expect(t, "after an ack of message 6", said(got), numbers(7, 10)...)
	s.AckMessage("", got[1].GetMessageId(), true)
	s.AckLink(999) // more than was ever sent: as much as was
	s.Flush()
	s.Cut()
	s = n.Connect(h)
	expect(t, "after everything was acknowledged", said(s.Flush()))
	n.Kill()
	n.Boot()
}

// app is a program that uses the published API of the client.
type app struct {
	t    *testing.T
	mu   sync.Mutex
	got  map[string][]string // by sender
	ups  int
	errs []error
}

func (a *app) config(user, addr string) *client.Config {
	return &client.Config{
		UserID:        user,
		DefaultRoomID: "room",
		Services:      []*discovery.ServiceInfo{{Address: addr}},
		MaxRetries:    -1,
		Backoff:       func(int) time.Duration { return 20 * time.Millisecond },
		OnMessage: func(m *imv1.MessageResponse) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if m.GetType() == text {
				a.got[m.GetFromUserId()] = append(a.got[m.GetFromUserId()], string(m.GetContent()))
			}
		},
		OnConnect: func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.ups++
		},
		OnError: func(err error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.errs = append(a.errs, err)
		},
	}
}

func newApp(t *testing.T, user, addr string) (*app, *client.Client) {
	t.Helper()
	a := &app{t: t, got: map[string][]string{}}
	c, err := client.NewClient(a.config(user, addr))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Disconnect(); err != nil {
			t.Error(err)
		}
	})
	return a, c
}

func (a *app) from(user string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.got[user]...)
}

func (a *app) connects() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ups
}

// TestA7Once: two programs talk through the client while its connections are cut,
// and the node is restarted and killed. Every message reaches OnMessage once and in order.
func TestA7Once(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	link := proxy.New(t, n.IM)
	bob, _ := newApp(t, "bob", link.Addr)
	carol, _ := newApp(t, "carol", n.IM)
	_, alice := newApp(t, "alice", link.Addr)

	const total = 600
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i <= total; i++ {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := alice.Send(ctx, &imv1.MessageRequest{RoomId: "room", Type: text, Content: fmt.Append(nil, i)})
			cancel()
			if err != nil {
				t.Errorf("message %d: %v", i, err)
				return
			}
		}
	})
	reached := func(count int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d messages have arrived", count), func() bool {
			return len(bob.from("alice")) >= count || t.Failed()
		})
	}
	reached(100)
	link.Cut()
	reached(200)
	n.Restart()
	reached(300)
	link.Cut()
	reached(400)
	n.Kill()
	n.Boot()
	wg.Wait()
	reached(total)
	eventually(t, "the other one has everything as well", func() bool { return len(carol.from("alice")) >= total })
	expect(t, "behind the proxy", bob.from("alice"), numbers(1, total)...)
	expect(t, "directly", carol.from("alice"), numbers(1, total)...)
	if bob.connects() < 3 {
		t.Errorf("%d connections: the test does not test", bob.connects())
	}
	if head := info(t, n.Calls(), "room", "bob").GetRoomInfo().GetMessageCount(); head != total {
		t.Errorf("%d messages were stored, %d sent", head, total)
	}
}

// TestAPushThatComesTwiceIsHandedOverOnce: one that is not acknowledged in time is kept as well, and
// comes again under its own message_id.
func TestAPushThatComesTwiceIsHandedOverOnce(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	proceed := make(chan struct{})
	release := sync.OnceFunc(func() { close(proceed) })
	t.Cleanup(release) // before Disconnect waits for OnMessage
	handed := make(chan string, 10)
	c := listener(t, n, "alice", func(m *imv1.MessageResponse) {
		handed <- m.GetMetadata()["content"]
		<-proceed
	})
	defer release()
	up := n.Upstream()
	late, err := up.Push(t.Context(), upstream.OpenID("alice"), mail, upstream.WaitForAck(100*time.Millisecond), upstream.StoreOffline())
	if err != nil || late.Status != upstream.Queued {
		t.Fatalf("while OnMessage runs: %+v, %v", late, err)
	}
	release()
	eventually(t, "the push comes again", func() bool { return c.Stats().Duplicates == 1 })
	other := upstream.Notification{MsgType: "mail", Title: "Mail", Content: "the next one"}
	if o, err := up.Push(t.Context(), upstream.OpenID("alice"), other, upstream.WaitForAck(patience)); err != nil || o.Status != upstream.Delivered {
		t.Fatalf("the next push: %+v, %v", o, err)
	}
	for _, want := range []string{mail.Content, other.Content} {
		if got := <-handed; got != want {
			t.Errorf("OnMessage got %q, want %q", got, want)
		}
	}
	if len(handed) > 0 || c.Stats().Received != 2 {
		t.Errorf("OnMessage got %d more; %+v", len(handed), c.Stats())
	}
}
