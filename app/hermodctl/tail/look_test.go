package tail

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// lively is the rooms of a user, in one of which a message comes with each call; one was left a moment ago.
type lively struct {
	head  int64
	calls int
}

func (l *lively) call() error {
	l.head++
	if l.calls++; l.calls > 100 {
		return status.Error(codes.FailedPrecondition, "asked again and again")
	}
	return nil
}

func (l *lively) message(seq int64) *imv1.MessageResponse {
	return &imv1.MessageResponse{RoomId: "busy", Seq: seq, Content: fmt.Append(nil, seq), Timestamp: timestamppb.New(time.Unix(seq, 0))}
}

func (l *lively) History(_ context.Context, req *imv1.HistoryRequest, _ ...grpc.CallOption) (*imv1.HistoryResponse, error) {
	if err := l.call(); err != nil {
		return nil, err
	}
	if req.GetRoomId() == "left" {
		return nil, status.Error(codes.PermissionDenied, "not a member")
	}
	return &imv1.HistoryResponse{HeadSeq: l.head, Messages: []*imv1.MessageResponse{l.message(l.head)}}, nil
}

func (l *lively) Sync(_ context.Context, req *imv1.SyncRequest, _ ...grpc.CallOption) (*imv1.SyncResponse, error) {
	if err := l.call(); err != nil {
		return nil, err
	}
	if req.GetPageToken() == "end" {
		return &imv1.SyncResponse{Snapshot: []*imv1.RoomState{{RoomId: "busy", HeadSeq: l.head}}}, nil
	}
	next := &imv1.RoomPage{RoomId: "busy", Messages: []*imv1.MessageResponse{l.message(req.GetCursors()["busy"] + 1)}}
	if l.calls == 1 {
		next = &imv1.RoomPage{RoomId: "left"}
	}
	return &imv1.SyncResponse{NextPageToken: "end", Rooms: []*imv1.RoomPage{next}}, nil
}

// screen remembers what is shown.
type screen []int64

func (s *screen) Message(m *imv1.MessageResponse) error { *s = append(*s, m.GetSeq()); return nil }
func (s *screen) Flush() error                          { return nil }

// TestARoomThatIsNeverQuiet: its messages are shown all the same, and a room that was left meanwhile is none of his.
func TestARoomThatIsNeverQuiet(t *testing.T) {
	t.Parallel()
	var shown screen
	caller := &Caller{Calls: &lively{head: 40}, Timeout: time.Minute, Note: t.Logf}
	u := NewUser(Config{User: "alice", Last: 1, After: -1, UntilHead: true}, caller, &shown, t.Logf)
	if err := u.Run(t.Context()); err != nil || len(shown) != 1 {
		t.Errorf("shown %v, %v", shown, err)
	}
}

// crowd is very many rooms of a user, with a message in each.
type crowd struct {
	rooms        int
	syncs, pages int
}

func (c *crowd) name(i int) string { return fmt.Sprintf("room%05d", i) }

func (c *crowd) History(_ context.Context, req *imv1.HistoryRequest, _ ...grpc.CallOption) (*imv1.HistoryResponse, error) {
	c.pages++
	return &imv1.HistoryResponse{HeadSeq: 1, Messages: []*imv1.MessageResponse{c.message(req.GetRoomId())}}, nil
}

func (c *crowd) message(room string) *imv1.MessageResponse {
	return &imv1.MessageResponse{RoomId: room, Seq: 1, Timestamp: timestamppb.New(time.Unix(1, 0))}
}

func (c *crowd) Sync(_ context.Context, req *imv1.SyncRequest, _ ...grpc.CallOption) (*imv1.SyncResponse, error) {
	c.syncs++
	resp := &imv1.SyncResponse{}
	for i := range c.rooms {
		room := c.name(i)
		if req.GetCursors()[room] == 0 {
			resp.Rooms = append(resp.Rooms, &imv1.RoomPage{RoomId: room, Messages: []*imv1.MessageResponse{c.message(room)}})
		}
		if len(resp.GetRooms()) == int(req.GetLimit()) {
			resp.NextPageToken = "more"
			return resp, nil
		}
	}
	for i := range c.rooms {
		resp.Snapshot = append(resp.Snapshot, &imv1.RoomState{RoomId: c.name(i), HeadSeq: 1})
	}
	return resp, nil
}

// TestVeryManyRooms: each begins with few calls for all of them, and one for each.
func TestVeryManyRooms(t *testing.T) {
	t.Parallel()
	var shown screen
	calls := &crowd{rooms: 4000}
	u := NewUser(Config{User: "alice", Last: 3, After: -1, UntilHead: true}, &Caller{Calls: calls, Timeout: time.Minute, Note: t.Logf}, &shown, t.Logf)
	if err := u.Run(t.Context()); err != nil || len(shown) != 3 {
		t.Errorf("shown %v, %v", shown, err)
	}
	if calls.syncs > 40 || calls.pages != calls.rooms {
		t.Errorf("%d rooms took %d syncs and %d pages", calls.rooms, calls.syncs, calls.pages)
	}
}
