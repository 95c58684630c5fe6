package imcall

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// Message is a message as clients read it.
func Message(m *biz.Message) *imv1.MessageResponse {
	return &imv1.MessageResponse{
		MessageId:   m.ID,
		FromUserId:  string(m.Sender),
		RoomId:      string(m.Room),
		Type:        imv1.MessageType(m.Type),
		Content:     m.Content,
		Timestamp:   timestamppb.New(m.Time),
		Metadata:    m.Metadata,
		AckRequired: m.AckRequired,
		Seq:         m.Seq,
		ReplyToSeq:  m.ReplyTo,
		Mentions:    Names(m.Mentions),
		ExpiresAt:   timestamp(m.ExpiresAt),
		State:       State(m.State),
	}
}

// Mentions are users whom a message mentions.
func Mentions(names []string) []biz.UserID {
	if len(names) == 0 {
		return nil
	}
	users := make([]biz.UserID, len(names))
	for i, name := range names {
		users[i] = biz.UserID(name)
	}
	return users
}

// Names are users as the wire has them.
func Names(users []biz.UserID) []string {
	if len(users) == 0 {
		return nil
	}
	out := make([]string, len(users))
	for i, u := range users {
		out[i] = string(u)
	}
	return out
}

func messages(list []*biz.Message) []*imv1.MessageResponse {
	out := make([]*imv1.MessageResponse, len(list))
	for i, m := range list {
		out[i] = Message(m)
	}
	return out
}

// PastOf is what a History asks for.
func PastOf(req *imv1.HistoryRequest) biz.HistoryRequest {
	return biz.HistoryRequest{
		Room: biz.RoomID(req.GetRoomId()), User: biz.UserID(req.GetUserId()),
		After: req.AfterSeq, Before: req.BeforeSeq, Limit: int(req.GetLimit()),
	}
}

// Past answers a History.
func Past(p biz.HistoryPage) *imv1.HistoryResponse {
	return &imv1.HistoryResponse{
		Status: OK(), Messages: messages(p.Messages), FloorSeq: p.Floor, HeadSeq: p.Head, More: p.More,
	}
}

// MissedOf is what a Sync asks for.
func MissedOf(req *imv1.SyncRequest) biz.SyncRequest {
	cursors := make(map[biz.RoomID]int64, len(req.GetCursors()))
	for room, seq := range req.GetCursors() {
		cursors[biz.RoomID(room)] = seq
	}
	return biz.SyncRequest{
		User: biz.UserID(req.GetUserId()), Cursors: cursors, Limit: int(req.GetLimit()), Token: req.GetPageToken(),
	}
}

// Missed answers a Sync.
func Missed(p biz.SyncPage) *imv1.SyncResponse {
	resp := &imv1.SyncResponse{Status: OK(), NextPageToken: p.Next}
	for _, r := range p.Rooms {
		resp.Rooms = append(resp.Rooms, &imv1.RoomPage{
			RoomId: string(r.Room), Messages: messages(r.Messages), FloorSeq: r.Floor, Reset_: r.Reset,
		})
	}
	for _, s := range p.Snapshot {
		resp.Snapshot = append(resp.Snapshot, state(s))
	}
	return resp
}

// Marked answers a MarkRead.
func Marked(s biz.RoomState) *imv1.MarkReadResponse {
	return &imv1.MarkReadResponse{Status: OK(), State: state(s)}
}

func state(s biz.RoomState) *imv1.RoomState {
	return &imv1.RoomState{
		RoomId: string(s.Room), HeadSeq: s.Head, FloorSeq: s.Floor, ReadSeq: s.Read, Unread: int32(s.Unread),
		Mentions: int32(s.Mentions),
	}
}
