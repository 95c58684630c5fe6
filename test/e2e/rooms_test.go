package e2e

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func has(list []string, s string) bool { return slices.Contains(list, s) }

// joinedOnline joins (again) and returns who is online.
func joinedOnline(t *testing.T, im imv1.IMServiceClient, room, user string) []string {
	t.Helper()
	resp, err := im.JoinRoom(within(t), &imv1.JoinRoomRequest{UserId: user, RoomId: room})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetOnlineUsers()
}

// TestMembersAndWhoIsOnline: users is who belongs to a room, online_users who is there now.
func TestMembersAndWhoIsOnline(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	first, err := im.JoinRoom(within(t), &imv1.JoinRoomRequest{
		UserId: "alice", RoomId: "lobby", Metadata: map[string]string{"nickname": "Al"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := first.GetRoomInfo(); r.GetRoomId() != "lobby" || r.GetName() == "" || r.GetUserCount() != 1 || r.GetMessageCount() != 0 ||
		r.GetCreatedAt() == nil || r.GetLastActive() == nil || !r.GetConfig().GetPersistent() || !r.GetConfig().GetAllowRichText() {
		t.Errorf("the new room: %v", r)
	}
	if first.GetStatus() == nil || first.GetStatus().GetCode() != 0 || len(first.GetOnlineUsers()) != 0 {
		t.Errorf("status %v, online %v", first.GetStatus(), first.GetOnlineUsers())
	}
	join(t, im, "lobby", "bob", "carol")
	bob := n.Connect(Hello{User: "bob", Room: "lobby"})
	elsewhere := n.Connect(Hello{User: "carol"})
	stranger := n.Connect(Hello{User: "stranger"})
	if online := joinedOnline(t, im, "lobby", "alice"); len(online) != 2 || !has(online, "bob") || !has(online, "carol") {
		t.Errorf("online: %v", online)
	}
	say(t, im, "lobby", "alice", "1", "2")
	resp := info(t, im, "lobby", "bob")
	if resp.GetRoomInfo().GetMessageCount() != 2 || resp.GetRoomInfo().GetUserCount() != 3 || len(resp.GetUsers()) != 3 {
		t.Errorf("room %v, users %v", resp.GetRoomInfo(), resp.GetUsers())
	}
	for i, want := range []*imv1.RoomUser{
		{UserId: "alice", Nickname: "Al", Role: imv1.UserRole_USER_ROLE_ADMIN},
		{UserId: "bob", Role: imv1.UserRole_USER_ROLE_USER},
		{UserId: "carol", Role: imv1.UserRole_USER_ROLE_USER},
	} {
		if u := resp.GetUsers()[i]; u.GetUserId() != want.GetUserId() || u.GetNickname() != want.GetNickname() ||
			u.GetRole() != want.GetRole() || u.GetMuted() || u.GetJoinedAt() == nil {
			t.Errorf("user %d: %v, want %v", i, u, want)
		}
	}
	bob.End()
	elsewhere.End()
	stranger.End()
	if online := joinedOnline(t, im, "lobby", "alice"); len(online) != 0 {
		t.Errorf("online after all have ended: %v", online)
	}
	if got := len(info(t, im, "lobby", "alice").GetUsers()); got != 3 {
		t.Errorf("%d members after all have gone offline, want 3", got)
	}
	n.Restart()
	if got := len(info(t, im, "lobby", "alice").GetUsers()); got != 3 {
		t.Errorf("%d members after a restart, want 3", got)
	}
}

// TestRoles: the first member is the admin, and nobody makes himself more than he is.
func TestRoles(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	roleOf := func(user string) imv1.UserRole {
		t.Helper()
		for _, u := range info(t, im, "lobby", "first").GetUsers() {
			if u.GetUserId() == user {
				return u.GetRole()
			}
		}
		t.Fatalf("%s is not a member", user)
		return 0
	}
	for _, c := range []struct {
		user, wants string
		want        imv1.UserRole
	}{
		{"first", "", imv1.UserRole_USER_ROLE_ADMIN},
		{"second", "admin", imv1.UserRole_USER_ROLE_USER},
		{"third", "moderator", imv1.UserRole_USER_ROLE_USER},
		{"fourth", "", imv1.UserRole_USER_ROLE_USER},
		{"fourth", "admin", imv1.UserRole_USER_ROLE_USER}, // joining again is no way up
		{"first", "", imv1.UserRole_USER_ROLE_ADMIN},      // nor one down
		{"first", "user", imv1.UserRole_USER_ROLE_ADMIN},  // as a client does with every connection that did so the first time
	} {
		_, err := im.JoinRoom(within(t), &imv1.JoinRoomRequest{
			UserId: c.user, RoomId: "lobby", Metadata: map[string]string{"role": c.wants},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := roleOf(c.user); got != c.want {
			t.Errorf("%s, who wants %q, is %v; want %v", c.user, c.wants, got, c.want)
		}
	}
	_, err := im.JoinRoom(within(t), &imv1.JoinRoomRequest{UserId: "fifth", RoomId: "lobby", Metadata: map[string]string{"role": "king"}})
	refused(t, "a role that is none", err, codes.InvalidArgument, "INVALID_ARGUMENT")
}

// TestNotices: the others hear who became a member and who is one no more, and of nothing else.
func TestNotices(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	alice := n.Connect(Hello{User: "alice", Room: "lobby"})
	bob := n.Connect(Hello{User: "bob"})
	outsider := n.Connect(Hello{User: "outsider"})
	alice.Flush()

	join(t, im, "lobby", "bob")
	f := alice.Next()
	if f.GetType() != imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM || f.GetFromUserId() != "bob" || f.GetRoomId() != "lobby" ||
		f.GetMetadata()["role"] != "user" || f.GetMessageId() == "" || f.GetTimestamp() == nil || f.GetSeq() != 0 {
		t.Errorf("joining: %v", f)
	}
	join(t, im, "lobby", "bob")                        // again
	n.Connect(Hello{User: "bob", Room: "lobby"}).End() // a connection
	if got := alice.Flush(); len(got) > 0 {
		t.Errorf("what changed no membership: %v", got)
	}
	if got := bob.Flush(); len(got) > 0 {
		t.Errorf("to the one who joined: %v", got)
	}
	leave := func(user string) {
		t.Helper()
		resp, err := im.LeaveRoom(within(t), &imv1.LeaveRoomRequest{UserId: user, RoomId: "lobby"})
		if err != nil || resp.GetStatus() == nil || resp.GetStatus().GetCode() != 0 {
			t.Errorf("%s leaves: %v, %v", user, resp, err)
		}
	}
	leave("bob")
	if f := alice.Next(); f.GetType() != imv1.MessageType_MESSAGE_TYPE_LEAVE_ROOM || f.GetFromUserId() != "bob" || f.GetRoomId() != "lobby" {
		t.Errorf("leaving: %v", f)
	}
	leave("bob") // is not in it any more
	leave("outsider")
	say(t, im, "lobby", "alice", "who is left")
	for what, s := range map[string]*Stream{"alice": alice, "bob": bob, "outsider": outsider} {
		var got []Frame
		for _, f := range s.Flush() {
			if what != "alice" || f.GetType() != text {
				got = append(got, f)
			}
		}
		if len(got) > 0 {
			t.Errorf("%s got %v", what, got)
		}
	}
	if _, err := im.SendMessage(within(t), &imv1.SendMessageRequest{UserId: "bob", RoomId: "lobby", Type: text}); err == nil {
		t.Error("who has left still speaks")
	}
}
