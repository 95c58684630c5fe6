package imactions_test

import (
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestCallsOfRooms: what the calls of RoomService answer, the actions do, and everybody who is there is told.
func TestCallsOfRooms(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, usual())
			alice, bob := b.login(f, "alice", ""), b.login(f, "bob", "")
			made := call(alice, "im.create_room", &imv1.CreateRoomRequest{RoomId: "r", Name: "Room", Config: &imv1.RoomConfig{Persistent: true}}, &imv1.CreateRoomResponse{})
			if made.GetRoomInfo().GetName() != "Room" || made.GetRoomInfo().GetUserCount() != 1 {
				t.Errorf("made %v", made)
			}
			alice.refused("im.create_room", &imv1.CreateRoomRequest{RoomId: "r"}, 400, "ROOM_EXISTS")
			call(bob, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
			alice.want("bob joined r")

			bob.refused("im.mute", &imv1.MuteMemberRequest{RoomId: "r", MemberId: "alice"}, 403, "ROLE_TOO_LOW")
			alice.say("im.mute", alice.marshal(&imv1.MuteMemberRequest{RoomId: "r", MemberId: "bob"}))
			bob.want("alice: member_muted bob 1")
			alice.take()
			alice.take() // the answer and the event, in either order
			bob.refused("im.send", textTo("r", "1", "mm"), 403, "MUTED")
			call(bob, "im.members", &imv1.ListMembersRequest{RoomId: "r"}, &imv1.ListMembersResponse{})

			alice.say("im.kick", alice.marshal(&imv1.KickMemberRequest{RoomId: "r", MemberId: "bob"}))
			bob.want("alice: member_kicked bob 2") // before he is taken off
			alice.take()
			alice.take()
			alice.take() // that he has left
			call(alice, "im.send", textTo("r", "2", "gone?"), &imv1.SendMessageResponse{})
			bob.quiet()
			bob.refused("im.send", textTo("r", "3", "x"), 403, "NOT_A_MEMBER")
		})
	}
}

// TestDeletedRoomIsTold: whoever is there is told, and follows nothing any more.
func TestDeletedRoomIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	f := formats["protobuf"]
	alice, bob := b.login(f, "alice", ""), b.login(f, "bob", "")
	call(alice, "im.create_room", &imv1.CreateRoomRequest{RoomId: "r"}, &imv1.CreateRoomResponse{})
	call(bob, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	alice.want("bob joined r")
	alice.say("im.delete_room", alice.marshal(&imv1.DeleteRoomRequest{RoomId: "r"}))
	bob.want("alice: room_deleted 0")
	alice.take()
	alice.take()
	call(alice, "im.create_room", &imv1.CreateRoomRequest{RoomId: "r"}, &imv1.CreateRoomResponse{})
	call(alice, "im.send", textTo("r", "1", "is anybody here"), &imv1.SendMessageResponse{})
	bob.quiet()
	mine := call(bob, "im.rooms", &imv1.ListMyRoomsRequest{}, &imv1.ListMyRoomsResponse{})
	if len(mine.GetRooms()) != 0 {
		t.Errorf("bob is still in %v", mine.GetRooms())
	}
}

// TestWhoIsWrittenToIsReached: a message to a user makes the room of the two, and his sessions follow it.
func TestWhoIsWrittenToIsReached(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	f := formats["JSON"]
	alice, bob := b.login(f, "alice", ""), b.login(f, "bob", "")
	for _, c := range []*client{alice, bob} {
		if a := c.ask("im.open", nil); a.code != 200 {
			t.Fatalf("%+v", a)
		}
	}
	to := func(user string) *imv1.SendMessageRequest {
		return &imv1.SendMessageRequest{ToUserId: user, MessageId: "1", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("hello")}
	}
	sent := call(alice, "im.send", to("bob"), &imv1.SendMessageResponse{})
	if sent.GetSeq() != 1 || sent.GetRoomId() == "" {
		t.Errorf("sent %v", sent)
	}
	bob.want("alice: hello 1")
	mine := call(bob, "im.rooms", &imv1.ListMyRoomsRequest{}, &imv1.ListMyRoomsResponse{}).GetRooms()
	if len(mine) != 1 || mine[0].GetPeerId() != "alice" || mine[0].GetRoomInfo().GetKind() != imv1.RoomKind_ROOM_KIND_DIRECT ||
		mine[0].GetState().GetUnread() != 1 || string(mine[0].GetLastMessage().GetContent()) != "hello" {
		t.Errorf("bob has %v", mine)
	}
	bob.refused("im.leave", &imv1.LeaveRoomRequest{RoomId: sent.GetRoomId()}, 403, "DIRECT_ROOM")
	bob.refused("im.send", to("bob"), 400, "INVALID_ARGUMENT")
	both := to("alice")
	both.RoomId = "r"
	bob.refused("im.send", both, 400, "INVALID_ARGUMENT")
	bob.refused("im.join", &imv1.JoinRoomRequest{RoomId: "direct:mine"}, 400, "INVALID_ARGUMENT")
}

// TestTheInvitedAreTold: a room that is for the invited lets nobody else in.
func TestTheInvitedAreTold(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	f := formats["protobuf"]
	alice, bob := b.login(f, "alice", ""), b.login(f, "bob", "")
	if a := bob.ask("im.open", nil); a.code != 200 {
		t.Fatalf("%+v", a)
	}
	config := &imv1.RoomConfig{Persistent: true, InviteOnly: true}
	call(alice, "im.create_room", &imv1.CreateRoomRequest{RoomId: "r", Config: config}, &imv1.CreateRoomResponse{})
	bob.refused("im.join", &imv1.JoinRoomRequest{RoomId: "r"}, 403, "INVITE_ONLY")
	call(alice, "im.invite", &imv1.InviteUserRequest{RoomId: "r", MemberId: "bob"}, &imv1.InviteUserResponse{})
	bob.want("alice: invited bob 0")
	mine := call(bob, "im.rooms", &imv1.ListMyRoomsRequest{}, &imv1.ListMyRoomsResponse{})
	if len(mine.GetInvitations()) != 1 || mine.GetInvitations()[0].GetInviterId() != "alice" {
		t.Errorf("bob finds %v", mine)
	}
	call(bob, "im.join", &imv1.JoinRoomRequest{RoomId: "r"}, &imv1.JoinRoomResponse{})
	mine = call(bob, "im.rooms", &imv1.ListMyRoomsRequest{}, &imv1.ListMyRoomsResponse{})
	if len(mine.GetInvitations()) != 0 || len(mine.GetRooms()) != 1 {
		t.Errorf("having joined he finds %v", mine)
	}
}

// TestEveryRoomActionIsNamed to whoever asks for one that is not there.
func TestEveryRoomActionIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	a := b.login(formats["protobuf"], "alice", "").ask("im.nothing", nil)
	for _, name := range []string{
		"im.create_room", "im.update_room", "im.delete_room", "im.rooms", "im.members", "im.set_role", "im.mute", "im.unmute", "im.kick",
		"im.ban", "im.unban", "im.bans", "im.invite", "im.open", "im.send",
	} {
		if !strings.Contains(a.text, name) {
			t.Errorf("%s is not named in %q", name, a.text)
		}
	}
}

// TestMyRoomsTellOfMentions: the list of his rooms says of each what the snapshot of a Sync says, unread mentions too.
func TestMyRoomsTellOfMentions(t *testing.T) {
	t.Parallel()
	b := newBench(t, usual())
	f := formats["JSON"]
	alice, bob := b.login(f, "alice", ""), b.login(f, "bob", "")
	for _, room := range []string{"r", "s"} {
		call(alice, "im.create_room", &imv1.CreateRoomRequest{RoomId: room, Config: &imv1.RoomConfig{Persistent: true}}, &imv1.CreateRoomResponse{})
		call(bob, "im.join", &imv1.JoinRoomRequest{RoomId: room}, &imv1.JoinRoomResponse{})
		alice.want("bob joined " + room)
	}
	for id, mentions := range [][]string{{"bob"}, nil, {"*"}} {
		said := textTo("r", strconv.Itoa(id), "x")
		said.Mentions = mentions
		call(alice, "im.send", said, &imv1.SendMessageResponse{})
		bob.take()
	}
	mentioned := func(r, s int32) {
		t.Helper()
		mine := call(bob, "im.rooms", &imv1.ListMyRoomsRequest{}, &imv1.ListMyRoomsResponse{}).GetRooms()
		snapshot := call(bob, "im.sync", &imv1.SyncRequest{}, &imv1.SyncResponse{}).GetSnapshot()
		if len(mine) != 2 || len(snapshot) != 2 {
			t.Fatalf("bob has %v and %v", mine, snapshot)
		}
		want := map[string]int32{"r": r, "s": s}
		for i, room := range mine {
			if got := room.GetState(); got.GetMentions() != want[got.GetRoomId()] || !proto.Equal(got, snapshot[i]) {
				t.Errorf("his list says %v, the snapshot %v; want %d mentions", got, snapshot[i], want[got.GetRoomId()])
			}
		}
	}
	mentioned(2, 0)
	call(bob, "im.read", &imv1.MarkReadRequest{RoomId: "r", Seq: 1}, &imv1.MarkReadResponse{})
	mentioned(1, 0)
	call(bob, "im.read", &imv1.MarkReadRequest{RoomId: "r", Seq: 3}, &imv1.MarkReadResponse{})
	mentioned(0, 0)
}
