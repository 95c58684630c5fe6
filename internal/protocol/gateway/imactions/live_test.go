package imactions_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// told takes the next frame, which is told and not kept, and returns it without its content.
func (c *client) told(into proto.Message) *imv1.MessageResponse {
	c.b.t.Helper()
	p := c.take()
	m := c.message(p)
	if p.GetSeqId() != 0 {
		c.b.t.Errorf("it has the number %d", p.GetSeqId())
	}
	c.unmarshal(m.GetContent(), into)
	return m
}

// presence takes news of one user.
func (c *client) presence() string {
	c.b.t.Helper()
	p := &imv1.PresenceContent{}
	if m := c.told(p); m.GetType() != imv1.MessageType_MESSAGE_TYPE_PRESENCE || len(p.GetUsers()) != 1 {
		c.b.t.Fatalf("%v with %v", m, p)
	}
	return p.GetUsers()[0].GetUserId() + " " + p.GetUsers()[0].GetState().String()
}

// TestLiveActions: what is told and not kept, and how far others have read, in both notations.
func TestLiveActions(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, usual())
			b.member("r", "alice")
			b.member("r", "bob")
			alice, bob := b.login(f, "alice", ""), b.login(f, "bob", "")
			alice.open("")
			bob.open("teleport, events")
			b.live(4) // the inbox and the room of each: who is behind is not told
			typing := &imv1.SendEphemeralRequest{RoomId: "r", Content: &imv1.EphemeralContent{Kind: "typing", Data: map[string]string{"k": "v"}}}
			call(alice, "im.ephemeral", typing, &imv1.SendEphemeralResponse{})
			e := &imv1.EphemeralContent{}
			if m := bob.told(e); m.GetFromUserId() != "alice" || m.GetRoomId() != "r" || e.GetKind() != "typing" || e.GetData()["k"] != "v" {
				t.Errorf("told %v with %v", m, e)
			}
			call(bob, "im.ephemeral", typing, &imv1.SendEphemeralResponse{})
			b.say("r", "alice", "one")
			alice.want("alice: one 1")
			bob.want("alice: one 1") // and neither has heard himself, nor alice, who does not want it, bob
			call(alice, "im.read", &imv1.MarkReadRequest{RoomId: "r", Seq: 1}, &imv1.MarkReadResponse{})
			if m := bob.told(e); m.GetFromUserId() != "alice" || e.GetKind() != "read" || e.GetData()["seq"] != "1" {
				t.Errorf("told %v with %v", m, e)
			}
			readers := call(alice, "im.readers", &imv1.ListReadersRequest{RoomId: "r", Seq: 1}, &imv1.ListReadersResponse{})
			if r := readers.GetMembers(); len(r) != 1 || r[0].GetUserId() != "alice" || r[0].GetReadSeq() != 1 || r[0].GetDeliveredSeq() != 1 {
				t.Errorf("readers %v", readers)
			}
			there := call(alice, "im.presence", &imv1.GetPresenceRequest{UserIds: []string{"bob", "eve"}}, &imv1.GetPresenceResponse{})
			if u := there.GetUsers(); len(u) != 2 || u[0].GetState() != imv1.PresenceState_PRESENCE_STATE_ONLINE || u[1].GetState() != imv1.PresenceState_PRESENCE_STATE_UNSPECIFIED {
				t.Errorf("presence %v", there)
			}
			alice.refused("im.watch", &imv1.PresenceContent{UserIds: []string{"bob"}}, 400, "NO_EVENTS")
			alice.refused("im.ephemeral", &imv1.SendEphemeralRequest{RoomId: "r"}, 400, "INVALID_ARGUMENT")
			alice.refused("im.presence", &imv1.GetPresenceRequest{UserId: "bob"}, 403, "FOREIGN_USER")
			alice.refused("im.readers", &imv1.ListReadersRequest{RoomId: "x"}, 404, "ROOM_NOT_FOUND")
			if a := bob.ask("im.watch", &imv1.PresenceContent{UserIds: []string{"alice"}}); a.code != 200 {
				t.Errorf("im.watch: %+v", a)
			}
			if got := bob.presence(); got != "alice PRESENCE_STATE_ONLINE" {
				t.Error(got)
			}
			alice.msgID++
			alice.in <- alice.marshal(&gatewayv1.ClientRequest{
				MsgId: alice.msgID, Type: gatewayv1.RequestType_REQUEST_HEARTBEAT, Headers: map[string]string{"presence": "away"},
			})
			if got := bob.presence(); got != "alice PRESENCE_STATE_AWAY" {
				t.Error(got)
			}
			alice.take()
			alice.msgID++
			alice.in <- alice.marshal(&gatewayv1.ClientRequest{
				MsgId: alice.msgID, Type: gatewayv1.RequestType_REQUEST_HEARTBEAT, Headers: map[string]string{"presence": "asleep"},
			})
			if a := alice.read(alice.take()); a.code != 400 || a.reason != "INVALID_ARGUMENT" {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestANewSessionWantsWhatTheFormerDid: one that takes the place of a session that could not go on.
func TestANewSessionWantsWhatTheFormerDid(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	b.member("r", "alice")
	b.member("r", "bob")
	alice, bob := b.login(gateway.Proto, "alice", ""), b.login(gateway.Proto, "bob", "phone")
	alice.open("")
	bob.open("events")
	b.live(4)
	bob.drop()
	bob.last += 5 // more than it ever got
	next, _, headers := bob.back(gateway.Proto)
	if headers["resync"] != "true" {
		t.Fatalf("back with %v", headers)
	}
	b.live(6)
	call(alice, "im.ephemeral", &imv1.SendEphemeralRequest{RoomId: "r", Content: &imv1.EphemeralContent{Kind: "typing"}}, &imv1.SendEphemeralResponse{})
	if e := (&imv1.EphemeralContent{}); next.told(e).GetFromUserId() != "alice" || e.GetKind() != "typing" {
		t.Errorf("told %v", e)
	}
}
