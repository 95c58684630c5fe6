package imactions_test

import (
	"strings"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/frame"
)

var formats = map[string]*frame.Format{"protobuf": gateway.Proto, "JSON": gateway.JSON}

// TestCallsOfIM: what the calls of im.v1 answer, the actions do, as the same messages, in the notation
// of the session.
func TestCallsOfIM(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, usual())
			alice, bob := b.login(f, "alice", ""), b.login(f, "bob", "")
			joined := call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r", Metadata: map[string]string{"nickname": "Al"}}, &imv1.JoinRoomResponse{})
			if joined.GetRoomInfo().GetRoomId() != "r" || joined.GetRoomInfo().GetUserCount() != 1 || joined.GetStatus().GetCode() != 0 {
				t.Errorf("joined %v", joined)
			}
			call(bob, "IM.Join", &imv1.JoinRoomRequest{RoomId: "r", UserId: "bob"}, &imv1.JoinRoomResponse{})
			alice.want("bob joined r")
			sent := call(alice, "im.send", textTo("r", "1", "hello"), &imv1.SendMessageResponse{})
			if sent.GetSeq() != 1 || sent.GetMessageId() == "" || sent.GetTimestamp() == nil {
				t.Errorf("sent %v", sent)
			}
			p := bob.take()
			m := bob.message(p)
			if m.GetMessageId() != sent.GetMessageId() || m.GetFromUserId() != "alice" || string(m.GetContent()) != "hello" || m.GetSeq() != 1 {
				t.Errorf("bob got %v", m)
			}
			b.member("r", "carol") // has no session
			alice.want("carol joined r")
			bob.want("carol joined r")
			room := call(alice, "im.room", &imv1.GetRoomInfoRequest{RoomId: "r"}, &imv1.GetRoomInfoResponse{})
			if len(room.GetUsers()) != 3 || room.GetUsers()[0].GetNickname() != "Al" || room.GetUsers()[0].GetRole() != imv1.UserRole_USER_ROLE_ADMIN {
				t.Errorf("the room: %v", room)
			}
			online := call(alice, "im.users", &imv1.GetRoomInfoRequest{RoomId: "r"}, &imv1.GetRoomInfoResponse{})
			if len(online.GetUsers()) != 2 || online.GetRoomInfo().GetUserCount() != 3 {
				t.Errorf("online: %v", online)
			}
			call(bob, "im.leave", &imv1.LeaveRoomRequest{RoomId: "r"}, &imv1.LeaveRoomResponse{})
			alice.want("bob left r")
			call(alice, "im.send", textTo("r", "2", "gone?"), &imv1.SendMessageResponse{})
			bob.quiet()
		})
	}
}

// TestUnknownActionsNameWhatExists: nothing that begins with im. reaches a service.
func TestUnknownActionsNameWhatExists(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	alice := b.login(gateway.Proto, "alice", "")
	for _, action := range []string{"im.find", "im.", "IM.nonsense"} {
		a := alice.refused(action, nil, 404, "UNKNOWN_ACTION")
		for _, known := range []string{action, "im.open", "im.join", "im.leave", "im.send", "im.room", "im.users", "im.transcript", "im.history", "im.sync", "im.read", "im.search"} {
			if !strings.Contains(a.text, known) {
				t.Errorf("%s: %q does not name %s", action, a.text, known)
			}
		}
	}
	if a := alice.ask("im", nil); a.code != 404 || a.reason != "" {
		t.Errorf("what does not begin with im. is for services: %+v", a)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, usual())
			b.member("r", "bob")
			alice := b.dial(f, "alice")
			alice.start(startAnew())
			alice.refused("im.open", nil, 401, "NOT_LOGGED_IN")
			if a := alice.ask("hello", nil); a.code != 200 {
				t.Fatalf("hello: %+v", a)
			}
			alice.refused("im.send", textTo("r", "1", "x"), 403, "NOT_A_MEMBER")
			alice.refused("im.room", &imv1.GetRoomInfoRequest{RoomId: "r"}, 403, "NOT_A_MEMBER")
			alice.refused("im.users", &imv1.GetRoomInfoRequest{RoomId: "nowhere"}, 404, "ROOM_NOT_FOUND")
			alice.refused("im.join", &imv1.JoinRoomRequest{RoomId: "r", UserId: "bob"}, 403, "FOREIGN_USER")
			alice.refused("im.leave", &imv1.LeaveRoomRequest{RoomId: "r", UserId: "bob"}, 403, "FOREIGN_USER")
			alice.refused("im.join", &imv1.JoinRoomRequest{}, 400, "INVALID_ARGUMENT")
			call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
			foreign := textTo("r", "1", "x")
			foreign.UserId = "bob"
			alice.refused("im.send", foreign, 403, "FOREIGN_USER")
			alice.refused("im.send", textTo("r", "1", strings.Repeat("x", 1001)), 400, "CONTENT_TOO_LARGE")
			alice.refused("im.send", &imv1.SendMessageRequest{RoomId: "r"}, 400, "INVALID_TYPE")
			for _, action := range []string{"im.join", "im.leave", "im.send", "im.room", "im.users", "im.transcript", "im.history", "im.sync", "im.read", "im.search"} {
				id := alice.say(action, []byte("{\xff"))
				if p := alice.take(); p.GetMsgId() != id || alice.read(p).reason != "MALFORMED" {
					t.Errorf("%s with nonsense: %v", action, p)
				}
			}
		})
	}
}

// TestPayloadsInJSONSessionsMayBeProtobuf as all that such clients send.
func TestPayloadsInJSONSessionsMayBeProtobuf(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	alice := b.login(gateway.JSON, "alice", "")
	other := &client{b: b} // to encode in the other notation
	id := alice.say("im.join", other.marshal(&imv1.JoinRoomRequest{RoomId: "r"}))
	if p := alice.take(); p.GetMsgId() != id || alice.read(p).code != 200 {
		t.Errorf("joined with %v", p)
	}
}

// TestSendsAreIdempotent: A2 over gateway sessions.
func TestSendsAreIdempotent(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	alice, bob := b.login(gateway.Proto, "alice", ""), b.login(gateway.JSON, "bob", "")
	call(bob, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	bob.want("alice joined r")
	first := call(alice, "im.send", textTo("r", "1", "once"), &imv1.SendMessageResponse{})
	again := call(alice, "im.send", textTo("r", "1", "once"), &imv1.SendMessageResponse{})
	if again.GetMessageId() != first.GetMessageId() || again.GetSeq() != 1 {
		t.Errorf("first %v, then %v", first, again)
	}
	alice.refused("im.send", textTo("r", "1", "another"), 400, "MESSAGE_ID_CONFLICT")
	bob.want("alice: once 1")
	bob.quiet()
}

// TestSendsAreLimited as those of streams are, by session.sends_per_second.
func TestSendsAreLimited(t *testing.T) {
	t.Parallel()
	s := usual()
	s.gateway.SendsPerSecond, s.gateway.SendBurst = 0.001, 3
	b := newBench(t, s)
	alice := b.login(gateway.Proto, "alice", "")
	call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	call(alice, "im.send", textTo("r", "1", "1"), &imv1.SendMessageResponse{})
	alice.refused("im.send", textTo("r", "2", "2"), 503, "RATE_LIMITED")
}

// TestASendIsAnsweredOnce: the client that was told that its time is over is not told otherwise when
// the store comes back, and finds out by sending it again.
func TestASendIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := usual()
	s.gateway.RequestTimeout = 300 * time.Millisecond
	b := newBench(t, s)
	b.member("r", "alice")
	b.member("r", "bob")
	alice, bob := b.login(gateway.Proto, "alice", ""), b.login(gateway.Proto, "bob", "")
	bob.ask("im.open", nil)
	b.log.setHold(true)
	alice.refused("im.send", textTo("r", "1", "late"), 503, "DEADLINE_EXCEEDED")
	b.log.setHold(false)
	bob.want("alice: late 1")
	alice.ask("im.open", nil) // so that it would hear of it
	alice.want("alice: late 1")
	alice.quiet()
	if sent := call(alice, "im.send", textTo("r", "1", "late"), &imv1.SendMessageResponse{}); sent.GetSeq() != 1 {
		t.Errorf("sent again: %v", sent)
	}
	bob.quiet()
}

// TestTheAnswerHasTheMessagesPlace: among what others say, the answer to a send stands where the
// message does.
func TestTheAnswerHasTheMessagesPlace(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	alice := b.login(gateway.Proto, "alice", "")
	call(alice, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	b.member("r", "bob")
	alice.want("bob joined r")
	b.live(2) // the inbox, and the room
	const each = 100
	go func() {
		for range each {
			done := make(chan struct{})
			b.messages.Send(t.Context(), biz.Identity{User: "bob"}, &biz.Draft{Message: biz.Message{Room: "r", Type: biz.TypeText}}, func(biz.Receipt, error) { close(done) })
			<-done
		}
	}()
	sent, answered, place := 0, 0, int64(0)
	for place < 2*each {
		if sent < each && sent-answered < 32 {
			alice.say("im.send", alice.marshal(textTo("r", "", "mine")))
			sent++
		}
		p := alice.take()
		var seq int64
		if p.GetMsgId() == 0 {
			seq = alice.message(p).GetSeq()
		} else {
			answer := &imv1.SendMessageResponse{}
			alice.unmarshal(alice.read(p).data, answer)
			seq = answer.GetSeq()
			answered++
		}
		if seq != place+1 {
			t.Fatalf("seq %d after %d", seq, place)
		}
		place = seq
		if place%16 == 0 {
			alice.ack()
		}
	}
}
