package service_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func TestLiveCalls(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	join(t, s, "bob", nil)
	for range 3 {
		send(t, s, "alice", "")
	}
	if resp, err := s.SendEphemeral(by(t, "bob"), &imv1.SendEphemeralRequest{RoomId: "r", Content: &imv1.EphemeralContent{Kind: "typing"}}); err != nil || resp.GetStatus() == nil {
		t.Errorf("%v, %v", resp, err)
	}
	_, err := s.SendEphemeral(by(t, "bob"), &imv1.SendEphemeralRequest{RoomId: "r"})
	wantRefused(t, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = s.SendEphemeral(by(t, "eve"), &imv1.SendEphemeralRequest{RoomId: "r", Content: &imv1.EphemeralContent{Kind: "typing"}})
	wantRefused(t, err, codes.PermissionDenied, "NOT_A_MEMBER")
	if _, err := s.MarkRead(by(t, "bob"), &imv1.MarkReadRequest{RoomId: "r", Seq: 2}); err != nil {
		t.Fatal(err)
	}
	first, err := s.ListReaders(by(t, "alice"), &imv1.ListReadersRequest{RoomId: "r", Limit: 1})
	if err != nil || len(first.GetMembers()) != 1 || first.GetMembers()[0].GetUserId() != "alice" || first.GetNextPageToken() == "" {
		t.Fatalf("%v, %v", first, err)
	}
	last, err := s.ListReaders(by(t, "alice"), &imv1.ListReadersRequest{RoomId: "r", Limit: 2, PageToken: first.GetNextPageToken()})
	if m := last.GetMembers(); err != nil || len(m) != 1 || m[0].GetUserId() != "bob" || m[0].GetReadSeq() != 2 || m[0].GetDeliveredSeq() != 2 || last.GetNextPageToken() != "" {
		t.Errorf("%v, %v", last, err)
	}
	_, err = s.ListReaders(by(t, "eve"), &imv1.ListReadersRequest{RoomId: "r"})
	wantRefused(t, err, codes.PermissionDenied, "NOT_A_MEMBER")
	there, err := s.GetPresence(by(t, "bob"), &imv1.GetPresenceRequest{UserIds: []string{"alice", "eve", "bob"}})
	if u := there.GetUsers(); err != nil || len(u) != 3 || u[0].GetState() != imv1.PresenceState_PRESENCE_STATE_ONLINE ||
		u[1].GetState() != imv1.PresenceState_PRESENCE_STATE_UNSPECIFIED || u[2].GetState() != imv1.PresenceState_PRESENCE_STATE_OFFLINE {
		t.Errorf("%v, %v", there, err)
	}
	_, err = s.GetPresence(by(t, "bob"), &imv1.GetPresenceRequest{UserId: "alice"})
	wantRefused(t, err, codes.PermissionDenied, "FOREIGN_USER")
}
