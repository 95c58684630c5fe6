package server_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestRoomServiceIsServed beside IMService: with the same callers, limits, counts and health.
func TestRoomServiceIsServed(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := imv1.NewRoomServiceClient(b.im)
	made, err := c.CreateRoom(as(t, "alice"), &imv1.CreateRoomRequest{Name: "Room"})
	if err != nil || made.GetRoomInfo().GetRoomId() == "" {
		t.Fatalf("%v, %v", made, err)
	}
	room := made.GetRoomInfo().GetRoomId()
	if _, err := imv1.NewIMServiceClient(b.im).JoinRoom(as(t, "bob"), &imv1.JoinRoomRequest{RoomId: room}); err != nil {
		t.Fatal(err)
	}
	set, err := c.SetRole(as(t, "alice"), &imv1.SetRoleRequest{RoomId: room, MemberId: "bob", Role: imv1.UserRole_USER_ROLE_MODERATOR})
	if err != nil || set.GetMember().GetRole() != imv1.UserRole_USER_ROLE_MODERATOR {
		t.Errorf("%v, %v", set, err)
	}
	_, err = c.SetRole(as(t, "alice"), &imv1.SetRoleRequest{RoomId: room, MemberId: "alice", Role: imv1.UserRole_USER_ROLE_USER})
	wantRefused(t, err, codes.PermissionDenied, "LAST_ADMIN")
	_, err = c.SetRole(as(t, "alice"), &imv1.SetRoleRequest{RoomId: room, MemberId: "bob"})
	wantRefused(t, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = c.KickMember(as(t, "bob"), &imv1.KickMemberRequest{RoomId: room, MemberId: "alice"})
	wantRefused(t, err, codes.PermissionDenied, "ROLE_TOO_LOW")
	_, err = c.ListMembers(as(t, "carol"), &imv1.ListMembersRequest{RoomId: room})
	wantRefused(t, err, codes.PermissionDenied, "NOT_A_MEMBER")
	_, err = c.ListMembers(as(t, "bob"), &imv1.ListMembersRequest{RoomId: room, Limit: 1001})
	wantRefused(t, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = c.DeleteRoom(as(t, "refused"), &imv1.DeleteRoomRequest{RoomId: room})
	wantRefused(t, err, codes.Unauthenticated, "UNAUTHENTICATED")
	var seen []string
	for token, more := "", true; more; more = token != "" {
		page, err := c.ListMembers(as(t, "bob"), &imv1.ListMembersRequest{RoomId: room, Limit: 1, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.GetMembers() {
			seen = append(seen, m.GetUserId())
		}
		token = page.GetNextPageToken()
	}
	if len(seen) != 2 || seen[0] != "alice" || seen[1] != "bob" {
		t.Errorf("members page by page: %v", seen)
	}
	if n := b.metric(t, "hermod_rpc_seconds", "OK", imv1.RoomService_CreateRoom_FullMethodName); n != 1 {
		t.Errorf("%v calls observed, want 1", n)
	}
	if _, err := healthpb.NewHealthClient(b.im).Check(as(t, ""), &healthpb.HealthCheckRequest{Service: "im.v1.RoomService"}); err != nil {
		t.Errorf("its health is not known: %v", err)
	}
}
