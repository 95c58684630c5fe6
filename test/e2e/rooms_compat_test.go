package e2e

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// The tests in this file have a published client, which knows nothing of what rooms, members and messages can do
// beyond it, in a room where others do all of that.

// Rooms returns a stub of RoomService on a connection of its own.
func (n *Node) Rooms() imv1.RoomServiceClient {
	n.t.Helper()
	return imv1.NewRoomServiceClient(Dial(n.t, n.IM))
}

// published is what a published client reads of a frame: the fields that it knows, by their numbers.
type published struct {
	from, room, content string
	kind                uint64
	metadata            map[string]string
}

// asPublished reads frames as a published client does, and checks that it knows all of their types.
func asPublished(t *testing.T, frames []Frame) []published {
	t.Helper()
	var all []published
	seq := int64(0)
	for _, f := range frames {
		data, err := proto.Marshal(f.MessageResponse)
		if err != nil {
			t.Fatal(err)
		}
		read, err := parse(data)
		if err != nil {
			t.Fatal(err)
		}
		p := published{read.text(2), read.text(3), read.text(5), read.nums[4], read.pairs(7)}
		if p.kind < 1 || p.kind > 8 {
			t.Errorf("a frame of type %d, which it does not know: %v", p.kind, f)
		}
		if f.Link != 0 || f.Batched {
			t.Errorf("a frame with number %d, in an envelope: %v: %v", f.Link, f.Batched, f)
		}
		if f.GetSeq() > 0 && f.GetSeq() <= seq {
			t.Errorf("%d comes after %d", f.GetSeq(), seq)
		}
		seq = max(seq, f.GetSeq())
		all = append(all, p)
	}
	return all
}

// toldOf lists what a client has been told: texts, and the events of SYSTEM messages as their first fields have them.
func toldOf(t *testing.T, all []published) []string {
	t.Helper()
	var lines []string
	for _, p := range all {
		switch imv1.MessageType(p.kind) {
		case text:
			lines = append(lines, p.from+": "+p.content)
		case imv1.MessageType_MESSAGE_TYPE_SYSTEM:
			said, err := parse([]byte(p.content))
			if err != nil || said.text(1) == "" || said.text(1) != p.metadata["event_type"] {
				t.Errorf("a SYSTEM message that is no SystemContent: %v, %+v", err, p)
			}
			lines = append(lines, "! "+said.text(1))
		case imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM, imv1.MessageType_MESSAGE_TYPE_LEAVE_ROOM: // as ever
		default:
			lines = append(lines, fmt.Sprintf("%+v", p))
		}
	}
	return lines
}

// upTo takes frames up to the first one that is wanted, and returns all of them.
func upTo(s *Stream, wanted func(Frame) bool) []Frame {
	s.t.Helper()
	var all []Frame
	for {
		f := s.Next()
		if all = append(all, f); wanted(f) {
			return all
		}
	}
}

// event tells whether a frame is that of an event.
func event(kind string) func(Frame) bool {
	return func(f Frame) bool { return f.GetMetadata()["event_type"] == kind }
}

// theText tells whether a frame is a message of this content.
func theText(content string) func(Frame) bool {
	return func(f Frame) bool { return f.GetType() == text && string(f.GetContent()) == content }
}

// must fails the test where a call does not succeed.
func must[T interface{ GetStatus() *imv1.ResponseStatus }](t *testing.T, what string) func(T, error) T {
	return func(resp T, err error) T {
		t.Helper()
		if err != nil || resp.GetStatus() == nil || resp.GetStatus().GetCode() != 0 {
			t.Fatalf("%s: %v, status %v", what, err, resp.GetStatus())
		}
		return resp
	}
}

// hall makes a room of alice's in which these users are members.
func hall(t *testing.T, n *Node, users ...string) {
	t.Helper()
	must[*imv1.CreateRoomResponse](t, "CreateRoom")(n.Rooms().CreateRoom(within(t), &imv1.CreateRoomRequest{UserId: "alice", RoomId: "hall"}))
	join(t, n.Calls(), "hall", users...)
}

// TestOldClientsWhereMessagesChange: it reads what was said as it was said, and after it was away what the messages
// say now; what else it is told are SYSTEM messages.
func TestOldClientsWhereMessagesChange(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	hall(t, n, "bob", "old")
	h := Hello{User: "old", Room: "hall"}
	old := n.Connect(h)
	old.Flush()

	change := func(round string) {
		t.Helper()
		first := say(t, im, "hall", "alice", round+" one").GetSeq()
		second := say(t, im, "hall", "alice", round+" two").GetSeq()
		must[*imv1.EditMessageResponse](t, "EditMessage")(im.EditMessage(within(t), &imv1.EditMessageRequest{UserId: "alice", RoomId: "hall", Seq: first, Content: []byte(round + " uno")}))
		must[*imv1.ReactResponse](t, "React")(im.React(within(t), &imv1.ReactRequest{UserId: "bob", RoomId: "hall", Seq: first, Reaction: "👍"}))
		must[*imv1.ReactResponse](t, "React")(im.React(within(t), &imv1.ReactRequest{UserId: "bob", RoomId: "hall", Seq: first, Reaction: "👍", Remove: true}))
		must[*imv1.RecallMessageResponse](t, "RecallMessage")(im.RecallMessage(within(t), &imv1.RecallMessageRequest{UserId: "alice", RoomId: "hall", Seq: second}))
		must[*imv1.SendMessageResponse](t, "SendMessage")(im.SendMessage(within(t), &imv1.SendMessageRequest{
			UserId: "bob", RoomId: "hall", Type: text, Content: []byte(round + " answer"), ReplyToSeq: first, Mentions: []string{"old"}, ExpiresInSeconds: 3600,
		}))
	}
	events := []string{"! message_edited", "! reaction_added", "! reaction_removed", "! message_recalled"}

	change("live")
	got := toldOf(t, asPublished(t, upTo(old, theText("live answer"))))
	expect(t, "an old client that is there", got, append(append([]string{"alice: live one", "alice: live two"}, events...), "bob: live answer")...)
	old.Say("hall", "o1", "hello")
	if rest := old.Flush(); len(rest) > 0 {
		t.Errorf("an old client that is there is told besides %v", rest)
	}
	old.End()

	change("away")
	old = n.Connect(h)
	got = toldOf(t, asPublished(t, upTo(old, theText("away answer"))))
	expect(t, "an old client that was away", got, append(append([]string{"alice: away uno", "alice: "}, events...), "bob: away answer")...)
	old.Say("hall", "o2", "hello again")
	for _, want := range []string{"hello", "hello again"} {
		n.eventually(want+" of the old client in the room", func() bool { return isSaid(t, im, "old", want) })
	}
}

// isSaid tells whether a user has said so in the hall.
func isSaid(t *testing.T, im imv1.IMServiceClient, user, content string) bool {
	t.Helper()
	page, err := im.History(within(t), &imv1.HistoryRequest{UserId: "alice", RoomId: "hall", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page.GetMessages() {
		if m.GetFromUserId() == user && string(m.GetContent()) == content {
			return true
		}
	}
	return false
}

// TestOldClientsWhereMembersChange: it is told of what happens to others by SYSTEM messages, and of what happens to
// itself by those and by refusals with a reason; it goes on in the same stream.
func TestOldClientsWhereMembersChange(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im, rooms := n.Calls(), n.Rooms()
	hall(t, n, "bob", "eve", "old")
	old := n.Connect(Hello{User: "old", Room: "hall"})
	old.Flush()

	name := "The hall"
	must[*imv1.UpdateRoomResponse](t, "UpdateRoom")(rooms.UpdateRoom(within(t), &imv1.UpdateRoomRequest{UserId: "alice", RoomId: "hall", Name: &name}))
	must[*imv1.SetRoleResponse](t, "SetRole")(rooms.SetRole(within(t), &imv1.SetRoleRequest{UserId: "alice", RoomId: "hall", MemberId: "bob", Role: imv1.UserRole_USER_ROLE_MODERATOR}))
	must[*imv1.KickMemberResponse](t, "KickMember")(rooms.KickMember(within(t), &imv1.KickMemberRequest{UserId: "bob", RoomId: "hall", MemberId: "eve"}))
	join(t, im, "hall", "eve")
	must[*imv1.BanUserResponse](t, "BanUser")(rooms.BanUser(within(t), &imv1.BanUserRequest{UserId: "bob", RoomId: "hall", MemberId: "eve"}))
	must[*imv1.UnbanUserResponse](t, "UnbanUser")(rooms.UnbanUser(within(t), &imv1.UnbanUserRequest{UserId: "bob", RoomId: "hall", MemberId: "eve"}))
	must[*imv1.InviteUserResponse](t, "InviteUser")(rooms.InviteUser(within(t), &imv1.InviteUserRequest{UserId: "bob", RoomId: "hall", MemberId: "carl"}))
	must[*imv1.MuteMemberResponse](t, "MuteMember")(rooms.MuteMember(within(t), &imv1.MuteMemberRequest{UserId: "bob", RoomId: "hall", MemberId: "old"}))
	expect(t, "an old client of others", toldOf(t, asPublished(t, upTo(old, event("member_muted")))),
		"! room_updated", "! role_changed", "! member_kicked", "! member_banned", "! member_muted")

	refusedAs := func(id, reason string) {
		t.Helper()
		old.Say("hall", id, "may I?")
		f := old.Until("a refusal", func(f Frame) bool { return f.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK })
		if f.Ack(t).GetSuccess() || f.Ack(t).GetOriginalMessageId() != id || f.GetMetadata()["reason"] != reason {
			t.Errorf("want %s: %v", reason, f)
		}
	}
	refusedAs("muted", "MUTED")
	must[*imv1.UnmuteMemberResponse](t, "UnmuteMember")(rooms.UnmuteMember(within(t), &imv1.UnmuteMemberRequest{UserId: "bob", RoomId: "hall", MemberId: "old"}))
	expect(t, "an old client that may speak again", toldOf(t, asPublished(t, upTo(old, event("member_unmuted")))), "! member_unmuted")
	old.Say("hall", "free", "free again")
	n.eventually("what it says then", func() bool { return isSaid(t, im, "old", "free again") })

	must[*imv1.KickMemberResponse](t, "KickMember")(rooms.KickMember(within(t), &imv1.KickMemberRequest{UserId: "bob", RoomId: "hall", MemberId: "old"}))
	for _, line := range toldOf(t, asPublished(t, old.Flush())) {
		if line != "! member_kicked" {
			t.Errorf("an old client that was put out is told %q", line)
		}
	}
	say(t, im, "hall", "alice", "among us")
	refusedAs("out", "NOT_A_MEMBER")
	join(t, im, "hall", "old")
	say(t, im, "hall", "alice", "welcome back")
	back := toldOf(t, asPublished(t, upTo(old, theText("welcome back"))))
	if has(back, "alice: among us") {
		t.Errorf("an old client that has joined again is told %q", back)
	}
	old.Say("hall", "back", "I am back")
	n.eventually("what it says when it is back", func() bool { return isSaid(t, im, "old", "I am back") })
	must[*imv1.DeleteRoomResponse](t, "DeleteRoom")(rooms.DeleteRoom(within(t), &imv1.DeleteRoomRequest{UserId: "alice", RoomId: "hall"}))
	asPublished(t, old.Flush())
	refusedAs("gone", "ROOM_NOT_FOUND")
	old.End()
}
