package imactions_test

import (
	"errors"
	"testing"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// TestSessionsThatAskForNoRoomsGetNone: a client of the old gateway knows nothing of rooms.
func TestSessionsThatAskForNoRoomsGetNone(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	b.member("r", "alice")
	b.member("r", "bob")
	alice := b.login(gateway.Proto, "alice", "phone")
	b.say("r", "bob", "hello")
	b.member("s", "alice")
	alice.quiet()
	call(alice, "im.send", textTo("r", "1", "a member may speak all the same"), &imv1.SendMessageResponse{})
	alice.quiet()
}

// TestOfflineMessagesComeFirst: A6 over gateway sessions. What the device has acknowledged does not
// come again, on the next session either; rooms that are joined later are followed.
func TestOfflineMessagesComeFirst(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, usual())
			b.member("r", "alice")
			b.member("r", "bob")
			for _, text := range []string{"one", "two", "three"} {
				b.say("r", "bob", text)
			}
			alice := b.login(f, "alice", "phone")
			if a := alice.ask("im.open", nil); a.code != 200 || a.header["rooms"] != "1" || len(a.data) != 0 {
				t.Errorf("im.open: %+v", a)
			}
			alice.want("bob: one 1", "bob: two 2")
			alice.ack()
			alice.want("bob: three 3")
			b.say("r", "bob", "four")
			alice.want("bob: four 4")
			alice.ask("im.open", nil) // again: nothing changes
			alice.quiet()
			b.member("s", "alice")
			b.member("s", "bob")
			alice.want("bob joined s")
			b.say("s", "bob", "elsewhere")
			alice.want("bob: elsewhere 1")
			alice.send(gatewayv1.RequestType_REQUEST_STOP, 0, &gatewayv1.StopRequest{})
			alice.closed()

			again := b.login(f, "alice", "phone")
			if a := again.ask("im.open", nil); a.header["rooms"] != "2" {
				t.Errorf("im.open: %+v", a)
			}
			got := map[string]bool{}
			for range 3 { // of two rooms, whose order is free
				got[again.words(again.take())[0]] = true
			}
			for _, unacknowledged := range []string{"bob: three 3", "bob: four 4", "bob: elsewhere 1"} {
				if !got[unacknowledged] {
					t.Errorf("got %v, without %s", got, unacknowledged)
				}
			}
			again.quiet()
		})
	}
}

// TestARoomThatIsLeftMeanwhileIsNotFollowed: the user leaves it elsewhere, at the very moment at which a
// session of his is put on it.
func TestARoomThatIsLeftMeanwhileIsNotFollowed(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	b.member("r", "alice")
	b.member("r", "bob")
	alice := b.login(gateway.Proto, "alice", "")
	b.places.before = func() {
		if err := b.rooms.Leave(t.Context(), biz.Identity{User: "alice"}, "r", ""); err != nil {
			t.Error(err)
		}
	}
	alice.ask("im.open", nil)
	b.say("r", "bob", "among us")
	alice.quiet()
}

// TestJoinAnswersBeforeTheBacklog: a room that is joined is followed from where the device is.
func TestJoinAnswersBeforeTheBacklog(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	b.member("r", "bob")
	b.say("r", "bob", "before alice was here")
	b.member("r", "alice")
	b.say("r", "bob", "missed")
	alice := b.login(gateway.JSON, "alice", "")
	call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	alice.want("bob: missed 2")
	b.member("s", "alice") // by a call of her own
	b.member("s", "bob")
	alice.want("bob joined s")
}

// TestOtherSessionsOfTheSenderGetTheMessage, with his own id of it; the one that sent it gets the
// answer and no echo.
func TestOtherSessionsOfTheSenderGetTheMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	b.member("r", "alice")
	phone, desktop := b.login(gateway.Proto, "alice", "phone"), b.login(gateway.JSON, "alice", "desktop")
	phone.ask("im.open", nil)
	desktop.ask("im.open", nil)
	b.live(4) // the inbox and the room of each
	for seq, from := range []string{"the room", "the log"} {
		if from == "the log" {
			desktop.drop()
		}
		call(phone, "im.send", textTo("r", from, "hi"), &imv1.SendMessageResponse{})
		if from == "the log" { // a new session, since what waits for the older one is no matter of the log
			desktop = b.login(gateway.Proto, "alice", "desktop")
			desktop.ask("im.open", nil)
		}
		if m := desktop.message(desktop.take()); m.GetMetadata()["client-message-id"] != from || m.GetSeq() != int64(seq+1) {
			t.Errorf("the other session got %v from %s", m, from)
		}
		desktop.ack()
	}
	phone.quiet()
	call(desktop, "im.leave", &imv1.LeaveRoomRequest{RoomId: "r"}, &imv1.LeaveRoomResponse{})
	b.member("r", "bob")
	b.say("r", "bob", "to nobody")
	phone.quiet()
	desktop.quiet()
}

// TestRoomsWithoutALogAreFollowed from the moment of the answer on.
func TestRoomsWithoutALogAreFollowed(t *testing.T) {
	t.Parallel()
	s := usual()
	s.defaults.Persistent = false
	b := newBench(t, s)
	b.member("r", "bob")
	alice := b.login(gateway.Proto, "alice", "")
	call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	b.say("r", "bob", "now")
	alice.want("bob: now 0")
	if sent := call(alice, "im.send", textTo("r", "", "yes"), &imv1.SendMessageResponse{}); sent.GetSeq() != 0 || sent.GetMessageId() == "" {
		t.Errorf("sent %v", sent)
	}
	alice.quiet()
}

// TestResumeChangesTheNotation: a session with messages and answers that its client has not
// acknowledged goes on over the other format, which loses and garbles nothing.
func TestResumeChangesTheNotation(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run("from "+name, func(t *testing.T) {
			t.Parallel()
			to := gateway.JSON
			if f == to {
				to = gateway.Proto
			}
			b := newBench(t, usual())
			b.member("r", "bob")
			alice := b.login(f, "alice", "phone")
			call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
			alice.ack()
			b.live(2) // the inbox, and the room
			had := alice.last
			b.say("r", "bob", "one")
			alice.want("bob: one 1")
			call(alice, "im.send", textTo("r", "", "two"), &imv1.SendMessageResponse{})
			alice.last = had // as if it had not come
			alice.drop()
			b.say("r", "bob", "three")
			next, before, headers := alice.back(to)
			if headers["resumed"] != "true" || len(before) != 3 {
				t.Fatalf("back with %v and %d frames", headers, len(before))
			}
			answer := &imv1.SendMessageResponse{}
			next.unmarshal(next.read(before[1]).data, answer)
			if answer.GetSeq() != 2 || answer.GetStatus().GetMessage() != "ok" {
				t.Errorf("the answer is %v", answer)
			}
			if got := next.words(before[0], before[2]); got[0] != "bob: one 1" || got[1] != "bob: three 3" {
				t.Errorf("got %q", got)
			}
			b.say("r", "bob", "four")
			next.want("bob: four 4")
		})
	}
}

// TestAnHeirFollowsTheSameRooms: a session that takes the place of one that could not be resumed goes
// on from the cursors.
func TestAnHeirFollowsTheSameRooms(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	b.member("r", "bob")
	alice := b.login(gateway.Proto, "alice", "phone")
	call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	b.say("r", "bob", "one")
	b.say("r", "bob", "two")
	alice.want("bob: one 1")
	alice.ack()
	alice.want("bob: two 2")
	alice.quiet() // so that the acknowledgment is known
	alice.last = 1000
	next, _, headers := alice.back(gateway.Proto)
	if headers["resync"] != "true" {
		t.Fatalf("back with %v", headers)
	}
	next.want("bob: two 2")
	b.member("s", "alice")
	b.member("s", "bob")
	next.want("bob joined s")
	b.say("r", "bob", "three")
	next.want("bob: three 3")
}

// TestASlowSessionReadsTheLog: A4 over gateway sessions. A client that acknowledges nothing does not
// get more than its queue holds, and everything in order once it does.
func TestASlowSessionReadsTheLog(t *testing.T) {
	t.Parallel()
	s := usual()
	s.queue = 4 << 10
	b := newBench(t, s)
	b.member("r", "bob")
	alice := b.login(gateway.Proto, "alice", "phone")
	call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	const many = 200
	for range many {
		b.say("r", "bob", "a message of some length, so that the queue is soon full")
	}
	for seq := int64(1); seq <= many; seq++ {
		p := alice.take()
		if m := alice.message(p); m.GetSeq() != seq {
			t.Fatalf("seq %d, want %d", m.GetSeq(), seq)
		}
		alice.ack()
	}
	alice.quiet()
}

// TestASenderThatIsBehind is answered at once, and does not get what it said from the log as well.
func TestASenderThatIsBehind(t *testing.T) {
	t.Parallel()
	s := usual()
	s.queue = 4 << 10
	b := newBench(t, s)
	b.member("r", "alice")
	b.member("r", "bob")
	const many = 100
	for range many {
		b.say("r", "bob", "a message of some length, so that the queue is soon full")
	}
	alice := b.login(gateway.Proto, "alice", "")
	alice.ask("im.open", nil)
	mine := alice.say("im.send", alice.marshal(textTo("r", "mine", "I am here")))
	answered, last := false, int64(0)
	for last < many || !answered {
		p := alice.take()
		if p.GetMsgId() == mine {
			answered = true
			if last == many {
				t.Error("the answer came after the whole backlog")
			}
			alice.ack() // which makes room for more
			continue
		}
		if m := alice.message(p); m.GetSeq() != last+1 {
			t.Fatalf("seq %d after %d", m.GetSeq(), last)
		}
		last++
		if answered {
			alice.ack()
		}
	}
	b.say("r", "bob", "hello")
	alice.want("bob: hello 102")
}

// TestASessionThatCannotFollowEnds rather than going on without the room unawares.
func TestASessionThatCannotFollowEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	b.member("r", "alice")
	alice := b.login(gateway.Proto, "alice", "phone")
	b.cursors.fail(errors.New("the store is away"))
	alice.refused("im.open", nil, 500, "INTERNAL")
	alice.refused("im.join", &imv1.JoinRoomRequest{RoomId: "r"}, 500, "INTERNAL")
	b.member("s", "alice") // is no matter of a session that was refused
	alice.quiet()
	b.cursors.fail(nil)
	alice.ask("im.open", nil)
	b.cursors.fail(errors.New("the store is away"))
	b.member("u", "alice")
	if code := alice.closed(); code != 3003 {
		t.Errorf("closed with %d", code)
	}
	if b.node.Session(alice.id) != nil {
		t.Error("the session can still be resumed")
	}
}
