package e2e

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func isType(want imv1.MessageType) func(Frame) bool {
	return func(f Frame) bool { return f.GetType() == want }
}

// watched returns what the next PRESENCE says of one user.
func watched(t *testing.T, s *Stream) *imv1.UserPresence {
	t.Helper()
	f := s.Until("a PRESENCE", isType(imv1.MessageType_MESSAGE_TYPE_PRESENCE))
	p := &imv1.PresenceContent{}
	if err := proto.Unmarshal(f.GetContent(), p); err != nil || f.Link != 0 || len(p.GetUsers()) != 1 {
		t.Fatalf("%v with %v, %v", f, p, err)
	}
	return p.GetUsers()[0]
}

// TestWhatIsToldAndNotKept: typing, reading and presence, for a client that wants events beside one that knows
// nothing of them, whose stream they do not touch.
func TestWhatIsToldAndNotKept(t *testing.T) {
	t.Parallel()
	n := Start(t, "presence: {last_seen_interval: 10s}\n")
	im := n.Calls()
	join(t, im, "r", "alice", "bob", "carol")
	bob := n.Connect(Hello{User: "bob", Room: "r", Capabilities: "ack,resume,batch,events"})
	old := n.Connect(Hello{User: "carol", Room: "r", Capabilities: "ack,resume,batch"})
	n.AwaitMetric(4, "hermod_session_caught_up_total") // the inbox and the room of each: who is behind is not told

	if _, err := im.SendEphemeral(within(t), &imv1.SendEphemeralRequest{UserId: "alice", RoomId: "r", Content: &imv1.EphemeralContent{Kind: "typing"}}); err != nil {
		t.Fatal(err)
	}
	typing := bob.Until("typing", isType(imv1.MessageType_MESSAGE_TYPE_EPHEMERAL))
	if typing.GetFromUserId() != "alice" || typing.GetRoomId() != "r" || typing.Link != 0 || typing.GetSeq() != 0 {
		t.Errorf("%v", typing)
	}
	say(t, im, "r", "alice", "hello")
	if f := bob.Until("hello", isType(text)); f.Link != 1 || f.GetSeq() != 1 {
		t.Errorf("%v has the number %d", f, f.Link)
	}
	if _, err := im.MarkRead(within(t), &imv1.MarkReadRequest{UserId: "carol", RoomId: "r", Seq: 1}); err != nil {
		t.Fatal(err)
	}
	read := &imv1.EphemeralContent{}
	f := bob.Until("read", isType(imv1.MessageType_MESSAGE_TYPE_EPHEMERAL))
	if err := proto.Unmarshal(f.GetContent(), read); err != nil || f.GetFromUserId() != "carol" || read.GetKind() != "read" || read.GetData()["seq"] != "1" {
		t.Errorf("%v with %v, %v", f, read, err)
	}
	readers, err := im.ListReaders(within(t), &imv1.ListReadersRequest{UserId: "bob", RoomId: "r", Seq: 1})
	if m := readers.GetMembers(); err != nil || len(m) != 1 || m[0].GetUserId() != "carol" {
		t.Errorf("%v, %v", readers, err)
	}

	watch, err := proto.Marshal(&imv1.PresenceContent{UserIds: []string{"alice"}})
	if err != nil {
		t.Fatal(err)
	}
	bob.Send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_PRESENCE, Content: watch})
	if p := watched(t, bob); p.GetState() != imv1.PresenceState_PRESENCE_STATE_OFFLINE || p.GetLastSeen() != nil {
		t.Errorf("%v", p)
	}
	alice := n.Connect(Hello{User: "alice", Room: "r"})
	if p := watched(t, bob); p.GetState() != imv1.PresenceState_PRESENCE_STATE_ONLINE {
		t.Errorf("%v", p)
	}
	alice.Send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: map[string]string{"presence": "away"}})
	if p := watched(t, bob); p.GetState() != imv1.PresenceState_PRESENCE_STATE_AWAY {
		t.Errorf("%v", p)
	}
	alice.End()
	if p := watched(t, bob); p.GetState() != imv1.PresenceState_PRESENCE_STATE_OFFLINE || time.Since(p.GetLastSeen().AsTime()).Abs() > patience {
		t.Errorf("%v", p)
	}
	if f := old.Next(); f.GetType() != text || f.Link != 1 {
		t.Errorf("the older client got %v", f)
	}
	for _, f := range old.Flush() {
		if f.GetType() > imv1.MessageType_MESSAGE_TYPE_HEARTBEAT {
			t.Errorf("the older client got %v", f)
		}
	}
}

// TestLastSeenSurvivesAKill: of those who were there when their node was killed it is known when they were.
func TestLastSeenSurvivesAKill(t *testing.T) {
	t.Parallel()
	n := Start(t, "presence: {last_seen_interval: 10s}\n")
	im := n.Calls()
	join(t, im, "r", "alice", "bob")
	n.Connect(Hello{User: "alice", Room: "r"})
	n.AwaitMetric(1, "hermod_store_flushed_marks_total", `kind="seen"`)
	n.Kill()
	killed := time.Now()
	n.Boot()
	var got *imv1.GetPresenceResponse
	n.Eventually("alice is offline", func() bool {
		var err error
		got, err = im.GetPresence(within(t), &imv1.GetPresenceRequest{UserId: "bob", UserIds: []string{"alice", "eve"}})
		return err == nil && len(got.GetUsers()) == 2
	})
	u := got.GetUsers()[0]
	if ago := killed.Sub(u.GetLastSeen().AsTime()); u.GetState() != imv1.PresenceState_PRESENCE_STATE_OFFLINE || ago < 0 || ago > patience {
		t.Errorf("%v, %v before", u, ago)
	}
	if u := got.GetUsers()[1]; u.GetState() != imv1.PresenceState_PRESENCE_STATE_UNSPECIFIED || u.GetLastSeen() != nil {
		t.Errorf("a stranger: %v", u)
	}
}
