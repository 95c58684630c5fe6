package e2e

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestLookingBackSurvivesAKill: a client that was half through with what it missed goes on where it was
// when its node has been killed and is back, and its marks are where they were.
func TestLookingBackSurvivesAKill(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	rooms := []string{"a", "b", "c"}
	for _, room := range rooms {
		join(t, im, room, "alice", "bob")
		say(t, im, room, "alice", "1", "2", "3", "4")
	}
	if resp, err := im.MarkRead(within(t), &imv1.MarkReadRequest{UserId: "bob", RoomId: "b", Seq: 3}); err != nil || resp.GetState().GetUnread() != 1 {
		t.Fatalf("marked: %v, %v", resp, err)
	}
	var missed []string
	req := &imv1.SyncRequest{UserId: "bob", Cursors: map[string]int64{"a": 1}, Limit: 2}
	var states []*imv1.RoomState
	for {
		page, err := im.Sync(within(t), req, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.GetRooms() {
			for _, m := range r.GetMessages() {
				missed = append(missed, fmt.Sprintf("%s%d%s", m.GetRoomId(), m.GetSeq(), m.GetContent()))
			}
		}
		states = append(states, page.GetSnapshot()...)
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
		n.Kill()
		n.Boot()
	}
	if got, want := fmt.Sprint(missed), "[a22 a33 a44 b11 b22 b33 b44 c11 c22 c33 c44]"; got != want {
		t.Errorf("missed %s, want %s", got, want)
	}
	for i, unread := range []int32{4, 1, 4} {
		if len(states) != len(rooms) || states[i].GetRoomId() != rooms[i] || states[i].GetHeadSeq() != 4 || states[i].GetUnread() != unread {
			t.Fatalf("the snapshot: %v", states)
		}
	}
	past, err := im.History(within(t), &imv1.HistoryRequest{UserId: "bob", RoomId: "a", Limit: 3})
	if err != nil || len(past.GetMessages()) != 3 || past.GetMessages()[0].GetSeq() != 2 || !past.GetMore() {
		t.Errorf("the past: %v, %v", past, err)
	}
	if _, err := im.History(within(t), &imv1.HistoryRequest{UserId: "eve", RoomId: "a"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("of who is no member: %v", err)
	}
}
