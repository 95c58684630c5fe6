package im_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

func unmarshal(t *testing.T, data []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
}

func TestAutoJoin(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		alice := b.open(as("alice"))
		w := <-alice.welcome
		if w.Session == "" || w.Ticket != "" || w.Resumed || w.Heartbeat != 30 {
			t.Errorf("greeted with %+v", w)
		}
		bob := b.open(as("bob"))
		<-bob.welcome
		again := b.open(as("bob")) // overlaps: nobody joins anew
		<-again.welcome
		alice.send(text("hi"))
		alice.want("joined bob")
		bob.want("hi from alice")
		again.want("hi from alice")
		if m, err := b.store.Member(t.Context(), "r", "alice"); err != nil || m.Role != biz.RoleAdmin {
			t.Errorf("the first member: %+v, %v", m, err)
		}
		bob.lose()
		bob.wantResult(errLost)
		alice.send(text("still there?"))
		again.want("hi from alice", "still there? from alice")
	})
}

func TestWhoeverSaysNothingIsKnownByTheFirstMessage(t *testing.T) {
	run(t, config, func(_ *testing.T, b *bench) {
		bob := b.open(as("bob"))
		c := b.open(im.Opening{Identity: biz.Identity{Trusted: true}})
		first := text("first")
		first.UserId, first.RoomId = "alice", "r"
		c.send(first, text("second"))
		bob.want("joined alice", "first from alice", "second from alice")
		c.send(heartbeat())
		c.want("heartbeat ping")
	})
}

func TestTheFirstMessageMayBeAHeartbeat(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		c := b.open(im.Opening{Identity: biz.Identity{Trusted: true}, Room: "r"})
		first := heartbeat()
		first.UserId, first.RoomId = "alice", "elsewhere" // the metadata has said which room
		c.send(first)
		c.want("heartbeat ping")
		if _, err := b.store.Member(t.Context(), "r", "alice"); err != nil {
			t.Error(err)
		}
		if _, err := b.store.Room(t.Context(), "elsewhere"); err == nil {
			t.Error("joined a second room")
		}
	})
}

func TestRefusedOpenings(t *testing.T) {
	anonymous := im.Opening{Identity: biz.Identity{Trusted: true}}
	long := strings.Repeat("x", 256)
	for name, test := range map[string]struct {
		opening im.Opening
		first   []byte
		reason  string
	}{
		"garbage instead of a message": {anonymous, []byte("GET / HTTP/1.1"), "MALFORMED"},
		"text not in UTF-8":            {anonymous, []byte("\x0a\x01\xff"), "MALFORMED"},
		"a message without a user":     {anonymous, bytesOf(t, text("x")), "INVALID_ARGUMENT"},
		"a user with NUL":              {anonymous, bytesOf(t, &imv1.MessageRequest{UserId: "\x00"}), "INVALID_ARGUMENT"},
		"a user whom the token does not name": {
			im.Opening{}, bytesOf(t, &imv1.MessageRequest{UserId: "alice"}), "FOREIGN_USER",
		},
		"a room with too long a name": {im.Opening{Identity: biz.Identity{User: "alice"}, Room: biz.RoomID(long)}, nil, "INVALID_ARGUMENT"},
		"a room with NUL":             {im.Opening{Identity: biz.Identity{User: "alice"}, Room: "\x00"}, nil, "INVALID_ARGUMENT"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, config, func(_ *testing.T, b *bench) {
				c := b.open(test.opening)
				if test.first != nil {
					c.in <- test.first
				}
				c.wantRefusal(test.reason)
			})
		})
	}
}

func TestStartTimeout(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		c := b.open(im.Opening{Identity: biz.Identity{Trusted: true}})
		time.Sleep(config.StartTimeout - time.Second)
		if _, closed := c.Closed(); closed {
			t.Error("closed too early")
		}
		time.Sleep(time.Second)
		c.wantResult(errLost)
		if why, _ := c.Closed(); why != transport.NotStarted {
			t.Errorf("closed with %v", why)
		}
	})
}

func TestStartTimeoutEndsWithTheFirstMessage(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		c := b.open(im.Opening{Identity: biz.Identity{Trusted: true}})
		first := heartbeat()
		first.UserId = "alice"
		c.send(first)
		time.Sleep(time.Hour)
		if why, closed := c.Closed(); closed {
			t.Errorf("closed with %v", why)
		}
	})
}

func TestAGreetingThatFailsOpensNothing(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		c := b.open(as("carol"))
		<-c.welcome
		err := b.handler.Serve(t.Context(), c, as("alice"), func(im.Welcome) error { return errLost })
		if !errors.Is(err, errLost) {
			t.Errorf("Serve: %v", err)
		}
		if len(b.node.OfUser("alice")) != 0 || b.node.Online("alice") {
			t.Error("a session was left behind")
		}
	})
}

func TestEndOfTheStreamWaitsForOutcomes(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		o := as("alice")
		o.Ack = true
		c := b.open(o)
		b.store.setHold(true)
		c.send(text("a"), text("b"))
		close(c.in)
		synctest.Wait()
		select {
		case err := <-c.result:
			t.Fatalf("ended with %v while messages wait for their outcome", err)
		default:
		}
		b.store.setHold(false)
		c.wantResult(nil)
		c.want("ack id of a at 1", "ack id of b at 2")
		if b.node.Online("alice") {
			t.Error("online after a clean end")
		}
	})
}

func TestEndOfTheStreamDoesNotWaitForEver(t *testing.T) {
	for name, stuck := range map[string]func(*bench, *client){
		"a store that is stuck":       func(b *bench, c *client) { b.store.setHold(true); c.send(text("a")) },
		"a client that reads no more": func(_ *bench, c *client) { c.SetReading(false); c.send(heartbeat()) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, config, func(t *testing.T, b *bench) {
				c := b.open(as("alice"))
				stuck(b, c)
				close(c.in)
				start := time.Now()
				c.wantResult(nil)
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("took %v", took)
				}
				b.store.setHold(false)
			})
		})
	}
}

func TestALostSessionIsResumed(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		bob := b.open(as("bob"))
		o := as("alice")
		o.Resume = true
		c := b.open(o)
		w := <-c.welcome
		bob.send(text("1"), text("2"))
		c.want("1 from bob", "2 from bob")
		c.lose()
		c.wantResult(errLost)
		bob.send(text("3"))
		if len(b.node.OfUser("alice")) != 1 {
			t.Fatal("the session did not wait")
		}

		o.Session, o.Ticket, o.LastLink = w.Session, w.Ticket, 1
		back := b.open(o)
		got := <-back.welcome
		if !got.Resumed || got.Session != w.Session || got.Ticket == w.Ticket || got.Ticket == "" {
			t.Errorf("greeted with %+v", got)
		}
		back.want("2 from bob", "3 from bob")
		for i, f := range back.frames() {
			if f.LinkSeq != uint64(i+2) {
				t.Errorf("frame %d has number %d", i, f.LinkSeq)
			}
		}

		o.Ticket = "wrong"
		anew := b.open(o)
		if got := <-anew.welcome; got.Resumed || got.Session == w.Session {
			t.Errorf("greeted with %+v for a wrong ticket", got)
		}
	})
}

// TestAnotherUserCannotResume: the ticket is good only with the right user.
func TestAnotherUserCannotResume(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		o := as("alice")
		o.Resume = true
		c := b.open(o)
		w := <-c.welcome
		eve := as("eve")
		eve.Resume, eve.Session, eve.Ticket = true, w.Session, w.Ticket
		if got := <-b.open(eve).welcome; got.Resumed {
			t.Errorf("greeted with %+v", got)
		}
		synctest.Wait()
		if s := b.node.OfUser("alice"); len(s) != 1 || s[0].State() != session.Active {
			t.Error("the session was disturbed")
		}
	})
}

// TestAPanicWhileOpeningIsTheStreamsAlone: it comes out of Serve, where the server recovers it, and
// does not end the process. A process of its own shows that.
func TestAPanicWhileOpeningIsTheStreamsAlone(t *testing.T) {
	const child = "HERMOD_TEST_PANIC"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("the process ended with %v:\n%.500s", err, out)
		}
		return
	}
	run(t, config, func(t *testing.T, b *bench) {
		c := b.open(as("carol"))
		served := func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = errLost
				}
			}()
			return b.handler.Serve(t.Context(), c, as("alice"), func(im.Welcome) error { panic("at the worst moment") })
		}
		if err := served(); err == nil {
			t.Error("Serve went on")
		}
		if left := b.node.OfUser("alice"); len(left) > 0 {
			t.Errorf("%d sessions are left of the one that panicked", len(left))
		}
		c.send(heartbeat())
		c.want("joined alice", "heartbeat ping")
	})
}

// FuzzServe sends whatever there may be on the wire: the stream goes on.
func FuzzServe(f *testing.F) {
	seeds := []*imv1.MessageRequest{
		{}, text("x"), heartbeat(), {Type: imv1.MessageType_MESSAGE_TYPE_ACK}, {Type: -1, UserId: "bob"},
		{Type: imv1.MessageType_MESSAGE_TYPE_ACK, Metadata: map[string]string{"link-seq": "1"}},
		{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: map[string]string{"authorization": "Bearer bad"}},
	}
	for _, m := range seeds {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("GET / HTTP/1.1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		inBubble(t, config, func(t *testing.T, b *bench) {
			c := b.open(as("alice"))
			c.in <- data
			c.send(heartbeat())
			if got := c.words(); len(got) == 0 || got[len(got)-1] != "heartbeat ping" {
				t.Errorf("%x: %q", data, got)
			}
		})
	})
}
