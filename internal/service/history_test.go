package service_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

func at(seq int64) *int64 { return &seq }

func wantSeqs(t *testing.T, messages []*imv1.MessageResponse, first, last int64) {
	t.Helper()
	if int64(len(messages)) != last-first+1 {
		t.Fatalf("%d messages, want %d to %d", len(messages), first, last)
	}
	for i, m := range messages {
		if m.GetSeq() != first+int64(i) || m.GetMessageId() == "" || m.GetFromUserId() != "alice" || m.GetRoomId() != "r" ||
			m.GetType() != imv1.MessageType_MESSAGE_TYPE_TEXT || string(m.GetContent()) != "x" || m.GetTimestamp() == nil {
			t.Fatalf("message %d is %v", i, m)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	for range 60 {
		send(t, s, "alice", "")
	}
	join(t, s, "bob", nil)
	for range 4 {
		send(t, s, "alice", "")
	}
	page := func(user biz.UserID, req *imv1.HistoryRequest) *imv1.HistoryResponse {
		t.Helper()
		req.RoomId = "r"
		resp, err := s.History(by(t, user), req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetStatus() == nil || resp.GetStatus().GetCode() != 0 || resp.GetHeadSeq() != 64 {
			t.Fatalf("got %v", resp)
		}
		return resp
	}
	newest := page("alice", &imv1.HistoryRequest{})
	wantSeqs(t, newest.GetMessages(), 15, 64)
	older := page("alice", &imv1.HistoryRequest{BeforeSeq: at(15), Limit: 500})
	wantSeqs(t, older.GetMessages(), 1, 14)
	if !newest.GetMore() || older.GetMore() || older.GetFloorSeq() != 0 {
		t.Errorf("more: %v, then %v; floor %d", newest.GetMore(), older.GetMore(), older.GetFloorSeq())
	}
	next := page("alice", &imv1.HistoryRequest{AfterSeq: at(10), Limit: 20})
	wantSeqs(t, next.GetMessages(), 11, 30)
	mine := page("bob", &imv1.HistoryRequest{AfterSeq: at(0), UserId: "bob"})
	wantSeqs(t, mine.GetMessages(), 61, 64)
	if !next.GetMore() || mine.GetMore() || mine.GetFloorSeq() != 60 {
		t.Errorf("more: %v, and bob's %v; his floor %d", next.GetMore(), mine.GetMore(), mine.GetFloorSeq())
	}

	for _, test := range []struct {
		ctx    context.Context
		req    *imv1.HistoryRequest
		code   codes.Code
		reason string
	}{
		{by(t, "eve"), &imv1.HistoryRequest{RoomId: "r"}, codes.PermissionDenied, "NOT_A_MEMBER"},
		{by(t, "eve"), &imv1.HistoryRequest{RoomId: "r", UserId: "alice"}, codes.PermissionDenied, "FOREIGN_USER"},
		{by(t, "eve"), &imv1.HistoryRequest{RoomId: "x"}, codes.NotFound, "ROOM_NOT_FOUND"},
		{t.Context(), &imv1.HistoryRequest{RoomId: "r"}, codes.Unauthenticated, "UNAUTHENTICATED"},
		{by(t, "alice"), &imv1.HistoryRequest{}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		{by(t, "alice"), &imv1.HistoryRequest{RoomId: "r", Limit: 501}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		{by(t, "alice"), &imv1.HistoryRequest{RoomId: "r", AfterSeq: at(1), BeforeSeq: at(5)}, codes.InvalidArgument, "INVALID_ARGUMENT"},
	} {
		_, err := s.History(test.ctx, test.req)
		wantRefused(t, err, test.code, test.reason)
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	join(t, s, "bob", nil)
	for range 5 {
		send(t, s, "alice", "")
	}
	req := &imv1.SyncRequest{Cursors: map[string]int64{"r": 1, "left": 9}, Limit: 3}
	first, err := s.Sync(by(t, "bob"), req)
	if err != nil || len(first.GetRooms()) != 1 || first.GetNextPageToken() == "" || len(first.GetSnapshot()) != 0 || first.GetStatus() == nil {
		t.Fatalf("got %v, %v", first, err)
	}
	wantSeqs(t, first.GetRooms()[0].GetMessages(), 2, 4)
	req.PageToken = first.GetNextPageToken()
	last, err := s.Sync(by(t, "bob"), req)
	if err != nil || len(last.GetRooms()) != 1 || last.GetNextPageToken() != "" || len(last.GetSnapshot()) != 1 {
		t.Fatalf("got %v, %v", last, err)
	}
	wantSeqs(t, last.GetRooms()[0].GetMessages(), 5, 5)
	if st := last.GetSnapshot()[0]; st.GetRoomId() != "r" || st.GetHeadSeq() != 5 || st.GetUnread() != 5 || st.GetReadSeq() != 0 || st.GetFloorSeq() != 0 {
		t.Errorf("snapshot %v", st)
	}
	_, err = s.Sync(by(t, "alice"), &imv1.SyncRequest{PageToken: first.GetNextPageToken()})
	wantRefused(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN")
	_, err = s.Sync(by(t, "alice"), &imv1.SyncRequest{UserId: "bob"})
	wantRefused(t, err, codes.PermissionDenied, "FOREIGN_USER")
	_, err = s.Sync(by(t, "alice"), &imv1.SyncRequest{Limit: -1})
	wantRefused(t, err, codes.InvalidArgument, "INVALID_ARGUMENT")
}

func TestMarkRead(t *testing.T) {
	t.Parallel()
	s := newIM(t, readiness{})
	join(t, s, "alice", nil)
	join(t, s, "bob", nil)
	for range 5 {
		send(t, s, "alice", "")
	}
	for _, step := range []struct{ seq, read, unread int64 }{{0, 0, 5}, {2, 2, 3}, {1, 2, 3}, {5, 5, 0}, {4, 5, 0}} {
		resp, err := s.MarkRead(by(t, "bob"), &imv1.MarkReadRequest{RoomId: "r", Seq: step.seq})
		if err != nil {
			t.Fatal(err)
		}
		if st := resp.GetState(); resp.GetStatus() == nil || st.GetReadSeq() != step.read || int64(st.GetUnread()) != step.unread || st.GetHeadSeq() != 5 {
			t.Errorf("marked %d: %v", step.seq, resp)
		}
	}
	_, err := s.MarkRead(by(t, "bob"), &imv1.MarkReadRequest{RoomId: "r", Seq: 6})
	wantRefused(t, err, codes.InvalidArgument, "ABOVE_HEAD")
	_, err = s.MarkRead(by(t, "bob"), &imv1.MarkReadRequest{RoomId: "r", Seq: -1})
	wantRefused(t, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = s.MarkRead(by(t, "eve"), &imv1.MarkReadRequest{RoomId: "r", Seq: 1})
	wantRefused(t, err, codes.PermissionDenied, "NOT_A_MEMBER")
	_, err = s.MarkRead(by(t, "eve"), &imv1.MarkReadRequest{RoomId: "x", Seq: 1})
	wantRefused(t, err, codes.NotFound, "ROOM_NOT_FOUND")
}
