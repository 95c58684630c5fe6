package im_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/transport"
)

func TestContentIsNotTouched(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		bob, alice := b.open(as("bob")), b.open(as("alice"))
		content := []byte{0xff, 0, '{', '"', 0x80}
		alice.send(&imv1.MessageRequest{
			UserId: "alice", RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_AUDIO, Content: content, Metadata: map[string]string{"k": "v"},
		})
		frames := bob.frames()
		if len(frames) != 2 {
			t.Fatalf("got %v", frames)
		}
		m := frames[1]
		if !slices.Equal(m.Content, content) || m.Metadata["k"] != "v" || m.Type != imv1.MessageType_MESSAGE_TYPE_AUDIO ||
			m.FromUserId != "alice" || m.RoomId != "r" || m.Seq != 1 || m.MessageId == "" || m.Timestamp == nil {
			t.Errorf("got %v", m)
		}
		alice.want() // no echo
	})
}

// TestRefusedSends: each is answered, whatever the client can do, and the stream goes on.
func TestRefusedSends(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		c, bob := b.open(as("alice")), b.open(as("bob"))
		b.rooms.Join(t.Context(), biz.Identity{User: "bob"}, biz.JoinRequest{Room: "bobs"})
		typed := func(n imv1.MessageType) *imv1.MessageRequest { return &imv1.MessageRequest{MessageId: "x", Type: n} }
		for _, test := range []struct {
			req    *imv1.MessageRequest
			reason string
		}{
			{&imv1.MessageRequest{MessageId: "x", UserId: "bob", Type: imv1.MessageType_MESSAGE_TYPE_TEXT}, "FOREIGN_USER"},
			{&imv1.MessageRequest{MessageId: "x", RoomId: "nowhere", Type: imv1.MessageType_MESSAGE_TYPE_TEXT}, "ROOM_NOT_FOUND"},
			{&imv1.MessageRequest{MessageId: "x", RoomId: "bobs", Type: imv1.MessageType_MESSAGE_TYPE_TEXT}, "NOT_A_MEMBER"},
			{&imv1.MessageRequest{MessageId: "x", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: make([]byte, 101)}, "CONTENT_TOO_LARGE"},
			{&imv1.MessageRequest{MessageId: "x", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Metadata: map[string]string{"k": strings.Repeat("v", 100)}}, "METADATA_TOO_LARGE"},
			{&imv1.MessageRequest{MessageId: "x", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, RoomId: "a\x00"}, "INVALID_ARGUMENT"},
			{typed(imv1.MessageType_MESSAGE_TYPE_SYSTEM), "SYSTEM_NOT_ALLOWED"},
			{typed(imv1.MessageType_MESSAGE_TYPE_UNSPECIFIED), "INVALID_TYPE"},
			{typed(imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM), "INVALID_TYPE"},
			{typed(99), "INVALID_TYPE"},
			{typed(-1), "INVALID_TYPE"},
		} {
			before := len(c.words())
			c.send(test.req)
			if got := c.words()[before:]; !slices.Equal(got, []string{"refused x: " + test.reason}) {
				t.Errorf("%v: got %q, want %s", test.req, got, test.reason)
			}
		}
		c.send(text("fine"))
		bob.want("fine from alice")
	})
}

func TestAMalformedFrameKeepsTheStream(t *testing.T) {
	run(t, config, func(_ *testing.T, b *bench) {
		c := b.open(as("alice"))
		for _, data := range []string{"\xff", "GET / HTTP/1.1\r\n", "\x0a\x05x", "\x0a\x01\xff"} {
			c.in <- []byte(data)
		}
		c.send(heartbeat())
		c.want("refused : MALFORMED", "refused : MALFORMED", "refused : MALFORMED", "refused : MALFORMED", "heartbeat ping")
	})
}

func TestAcksOfSends(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		o := as("alice")
		o.Ack = true
		c, plain := b.open(o), b.open(as("alice"))
		c.send(text("a"), text("b"), text("a")) // the last one again
		c.want("ack id of a at 1", "ack id of b at 2", "ack id of a at 1")
		plain.send(text("c"), text("c"))
		c.want("ack id of a at 1", "ack id of b at 2", "ack id of a at 1", "c from alice")
		frames := plain.frames()
		if got := plain.words(); !slices.Equal(got, []string{"a from alice", "b from alice"}) {
			t.Fatalf("the other session got %q", got)
		}
		if id := frames[0].Metadata["client-message-id"]; id != "id of a" {
			t.Errorf("his own id is %q", id)
		}
	})
}

func TestHeartbeatsStayOnTheirStream(t *testing.T) {
	run(t, config, func(_ *testing.T, b *bench) {
		alice, second, bob := b.open(as("alice")), b.open(as("alice")), b.open(as("bob"))
		alice.send(heartbeat())
		alice.want("joined bob", "heartbeat ping")
		second.want("joined bob")
		bob.want()
	})
}

func TestRateLimit(t *testing.T) {
	limited := config
	limited.SendsPerSecond, limited.SendBurst = 2, 3
	run(t, limited, func(t *testing.T, b *bench) {
		c, bob := b.open(as("alice")), b.open(as("bob"))
		for i := range 5 {
			c.send(text(fmt.Sprint(i)))
		}
		c.send(heartbeat()) // is no send
		c.want("joined bob", "refused id of 3: RATE_LIMITED", "refused id of 4: RATE_LIMITED", "heartbeat ping")
		bob.want("0 from alice", "1 from alice", "2 from alice")
		time.Sleep(500 * time.Millisecond)
		c.send(text("later"), text("too soon"))
		bob.want("0 from alice", "1 from alice", "2 from alice", "later from alice")
		bob.send(text("another's limit"))
		if got := c.words(); got[len(got)-1] != "another's limit from bob" {
			t.Errorf("got %q", got)
		}
	})
}

func TestInFlightSendsAreBounded(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		c := b.open(as("alice"))
		b.store.setHold(true)
		for i := range 300 {
			c.send(text(fmt.Sprint(i)))
		}
		synctest.Wait()
		b.store.mu.Lock()
		held := len(b.store.held)
		b.store.mu.Unlock()
		if held != 256 {
			t.Errorf("%d sends wait for their outcome, want 256 at most", held)
		}
		b.store.setHold(false)
		synctest.Wait()
		b.store.mu.Lock()
		defer b.store.mu.Unlock()
		if n := len(b.store.log); n != 300 {
			t.Errorf("%d of 300 stored", n)
		}
	})
}

func TestAckMovesTheCursor(t *testing.T) {
	ack := func(content []byte) *imv1.MessageRequest {
		return &imv1.MessageRequest{MessageId: "x", Type: imv1.MessageType_MESSAGE_TYPE_ACK, Content: content}
	}
	run(t, config, func(t *testing.T, b *bench) {
		bob := b.open(as("bob"))
		o := as("alice")
		o.Resume, o.Identity.Device = true, "phone"
		c := b.open(o)
		bob.send(text("1"), text("2"), text("3"), text("4"))
		frames := c.frames()
		if len(frames) != 4 || b.store.cursor("alice", "phone") != 0 {
			t.Fatalf("%d frames, cursor %d", len(frames), b.store.cursor("alice", "phone"))
		}
		for _, test := range []struct {
			req  *imv1.MessageRequest
			want int64
		}{
			{heartbeat(), 0}, // who can ack is not taken to have what he does not ack
			{ack(bytesOf(t, &imv1.AckContent{OriginalMessageId: frames[0].MessageId})), 1},
			{ack([]byte(`{"original_message_id":"` + frames[1].MessageId + `"}`)), 2},
			{ack(bytesOf(t, &imv1.AckContent{OriginalMessageId: frames[0].MessageId})), 2}, // never back
			{ack(bytesOf(t, &imv1.AckContent{OriginalMessageId: "another's"})), 2},
			{ack(bytesOf(t, &imv1.AckContent{OriginalMessageId: biz.NewMessageID("r", 99, time.Now())})), 4}, // no further than written
		} {
			c.send(test.req)
			synctest.Wait()
			if got := b.store.cursor("alice", "phone"); got != test.want {
				t.Errorf("after %v: cursor %d, want %d", test.req, got, test.want)
			}
		}
		c.send(ack(nil), &imv1.MessageRequest{MessageId: "y", Type: imv1.MessageType_MESSAGE_TYPE_ACK, Metadata: map[string]string{"link-seq": "-1"}})
		got := c.words()
		if want := []string{"refused x: INVALID_ARGUMENT", "refused y: INVALID_ARGUMENT"}; !slices.Equal(got[len(got)-2:], want) {
			t.Errorf("got %q", got)
		}
	})
}

func TestAckByNumber(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		bob := b.open(as("bob"))
		o := as("alice")
		o.Resume = true
		c := b.open(o)
		bob.send(text("1"), text("2"))
		c.want("1 from bob", "2 from bob")
		c.send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_ACK, Metadata: map[string]string{"link-seq": "1"}})
		synctest.Wait()
		if got := b.store.cursor("alice", ""); got != 1 {
			t.Errorf("cursor %d, want 1", got)
		}
	})
}

// TestA6Backlog: a member who was away gets what he missed, in order, his own left out, before what
// is live; a new device starts at the head.
func TestA6Backlog(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		bob, c := b.open(as("bob")), b.open(as("alice"))
		bob.send(text("seen"))
		c.want("seen from bob")
		close(c.in) // the end of the stream is the last thing heard of her
		c.wantResult(nil)
		bob.send(text("1"))
		b.messages.Send(t.Context(), biz.Identity{User: "alice"}, &biz.Draft{Message: biz.Message{Room: "r", Type: biz.TypeText}}, func(biz.Receipt, error) {})
		bob.send(text("2"))
		synctest.Wait()
		back := b.open(as("alice"))
		<-back.welcome
		bob.send(text("live"))
		back.want("1 from bob", "2 from bob", "live from bob")

		tablet := as("alice")
		tablet.Identity.Device = "tablet"
		other := b.open(tablet)
		other.want()
		bob.send(text("for both"))
		other.want("for both from bob")
	})
}

// TestABacklogHasWhatIsSaidInOnesName: one did not send it, so one need not know it.
func TestABacklogHasWhatIsSaidInOnesName(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		c := b.open(as("alice"))
		c.want()
		close(c.in)
		c.wantResult(nil)
		d := &biz.Draft{Message: biz.Message{
			Room: "r", Sender: "alice", Type: biz.TypeSystem, Metadata: map[string]string{"title": "made"},
		}}
		if err := b.messages.Tell(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		b.open(as("alice")).want("push made")
	})
}

func TestWhichRoomsAStreamFollows(t *testing.T) {
	for name, test := range map[string]struct {
		opening im.Opening
		want    []string
	}{
		"the one that it names": {im.Opening{Room: "r"}, []string{"r from bob"}},
		"all, if it names none": {im.Opening{}, []string{"other from bob", "r from bob", "volatile from bob"}},
		"all, if it says so":    {im.Opening{Room: "r", Rooms: true}, []string{"other from bob", "r from bob", "volatile from bob"}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, config, func(t *testing.T, b *bench) {
				rooms := []biz.RoomID{"r", "other", "volatile"}
				for _, room := range rooms {
					for _, user := range []biz.UserID{"alice", "bob"} {
						if _, err := b.rooms.Join(t.Context(), biz.Identity{User: user}, biz.JoinRequest{Room: room}); err != nil {
							t.Fatal(err)
						}
					}
				}
				test.opening.Identity.User = "alice"
				c := b.open(test.opening)
				for _, room := range rooms {
					d := &biz.Draft{Message: biz.Message{Room: room, Type: biz.TypeText, Content: []byte(room)}}
					b.messages.Send(t.Context(), biz.Identity{User: "bob"}, d, func(_ biz.Receipt, err error) {
						if err != nil {
							t.Error(err)
						}
					})
				}
				got := c.words()
				if slices.Sort(got); !slices.Equal(got, test.want) {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		})
	}
}

func TestARoomThatIsJoinedLaterIsFollowed(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		bob, c := b.open(im.Opening{Identity: biz.Identity{User: "bob"}, Room: "later"}), b.open(as("alice"))
		bob.send(text("before"))
		synctest.Wait()
		if _, err := b.rooms.Join(t.Context(), biz.Identity{User: "alice"}, biz.JoinRequest{Room: "later"}); err != nil {
			t.Fatal(err)
		}
		bob.send(text("after"))
		c.want("after from bob")
		if err := b.rooms.Leave(t.Context(), biz.Identity{User: "alice"}, "later", ""); err != nil {
			t.Fatal(err)
		}
		bob.send(text("gone"))
		c.want("after from bob")
		bob.want("joined alice", "left alice")
	})
}

// TestASessionThatCannotFollowEnds: one that went on after a resume would be without the room unawares.
func TestASessionThatCannotFollowEnds(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		o := as("alice")
		o.Resume = true
		alice := b.open(o)
		b.store.lookups = errors.New("the store is away")
		if _, err := b.rooms.Join(t.Context(), biz.Identity{User: "alice"}, biz.JoinRequest{Room: "s"}); err != nil {
			t.Fatal(err)
		}
		if why, closed := alice.Closed(); !closed || why != transport.StoreGone {
			t.Errorf("closed %v with %v", closed, why)
		}
		if b.node.Session((<-alice.welcome).Session) != nil {
			t.Error("the session can still be resumed")
		}
	})
}

func TestPushes(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		target := biz.Target{Type: "openid", ID: "alice"}
		push := func(title string) biz.PushResult {
			return b.pushes.Push(t.Context(), target, &biz.Push{Title: title}, biz.PushOptions{StoreOffline: true})
		}
		if got := push("kept"); got.Outcome != biz.OutcomeQueued {
			t.Fatalf("%+v", got)
		}
		c := b.open(as("alice"))
		c.want("push kept")
		if got := push("live"); got.Outcome != biz.OutcomeDelivered {
			t.Errorf("%+v", got)
		}
		c.want("push kept", "push live")
		c.send(heartbeat())
		c.lose()
		c.wantResult(errLost)
		again := b.open(as("alice"))
		again.want() // what was kept has been received
	})
}

func TestTokenRefresh(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		o := as("alice")
		o.Identity.Expiry = time.Now().Add(time.Minute)
		c := b.open(o)
		refresh := func(authorization string) *imv1.MessageRequest {
			h := heartbeat()
			h.MessageId, h.Metadata = "x", map[string]string{"authorization": authorization}
			return h
		}
		system := &imv1.MessageRequest{MessageId: "s", Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM}
		c.send(system, refresh("Bearer bad"), refresh("Bearer good"), system, heartbeat())
		c.want("refused s: SYSTEM_NOT_ALLOWED", "refused x: UNAUTHENTICATED", "heartbeat ping", "heartbeat ping")
		if b.auth.calls != 2 {
			t.Errorf("%d tokens were looked at, want 2", b.auth.calls)
		}
		time.Sleep(5 * time.Minute) // the first token has expired long ago
		if why, closed := c.Closed(); closed {
			t.Errorf("closed with %v", why)
		}
		time.Sleep(time.Hour)
		if why, closed := c.Closed(); !closed || why != transport.TokenExpired {
			t.Errorf("closed %v with %v", closed, why)
		}
	})
}
