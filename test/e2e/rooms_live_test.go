package e2e

import (
	"testing"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestOldClientsHearNothingFleeting: others type, read, come and go, and are told of each other; a published client
// is told none of it, and goes on.
func TestOldClientsHearNothingFleeting(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	hall(t, n, "bob", "old")
	old := n.Connect(Hello{User: "old", Room: "hall"})
	bob := n.Connect(Hello{User: "bob", Room: "hall", Capabilities: "ack,resume,batch,events"})
	old.Flush()
	bob.Flush()
	seq := say(t, im, "hall", "alice", "look").GetSeq()

	watch, err := proto.Marshal(&imv1.PresenceContent{RoomIds: []string{"hall"}})
	if err != nil {
		t.Fatal(err)
	}
	bob.Send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_PRESENCE, Content: watch})
	must[*imv1.SendEphemeralResponse](t, "SendEphemeral")(im.SendEphemeral(within(t), &imv1.SendEphemeralRequest{
		UserId: "alice", RoomId: "hall", Content: &imv1.EphemeralContent{Kind: "typing"},
	}))
	must[*imv1.MarkReadResponse](t, "MarkRead")(im.MarkRead(within(t), &imv1.MarkReadRequest{UserId: "alice", RoomId: "hall", Seq: seq}))
	missing := map[string]bool{"typing": true, "read": true, "presence": true}
	for len(missing) > 0 {
		switch f := bob.Next(); f.GetType() {
		case imv1.MessageType_MESSAGE_TYPE_PRESENCE:
			delete(missing, "presence")
		case imv1.MessageType_MESSAGE_TYPE_EPHEMERAL:
			var content imv1.EphemeralContent
			if err := proto.Unmarshal(f.GetContent(), &content); err != nil || f.GetFromUserId() != "alice" || f.GetSeq() != 0 {
				t.Errorf("an ephemeral: %v, %v", f, err)
			}
			delete(missing, content.GetKind())
		}
	}
	must[*imv1.GetPresenceResponse](t, "GetPresence")(im.GetPresence(within(t), &imv1.GetPresenceRequest{UserId: "alice", UserIds: []string{"old"}}))
	readers := must[*imv1.ListReadersResponse](t, "ListReaders")(im.ListReaders(within(t), &imv1.ListReadersRequest{UserId: "alice", RoomId: "hall", Seq: seq}))
	if len(readers.GetMembers()) != 1 || readers.GetMembers()[0].GetUserId() != "alice" {
		t.Errorf("who has read: %v", readers)
	}
	old.Say("hall", "o1", "I saw nothing")
	n.eventually("what the old client says", func() bool { return isSaid(t, im, "old", "I saw nothing") })
	expect(t, "an old client", toldOf(t, asPublished(t, old.Flush())), "alice: look")
}
