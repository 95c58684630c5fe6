// Package imcall says what the calls of im.v1 carry in the rules' terms, and the other way round. The
// same messages come as calls of gRPC and as actions of gateway sessions.
package imcall

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// OK is the status of every answer: what failed has none.
func OK() *imv1.ResponseStatus { return &imv1.ResponseStatus{Code: 0, Message: "ok"} }

// Draft is what a SendMessage asks for.
func Draft(req *imv1.SendMessageRequest) *biz.Draft {
	return &biz.Draft{Message: biz.Message{
		Room:        biz.RoomID(req.GetRoomId()),
		Sender:      biz.UserID(req.GetUserId()),
		ClientID:    req.GetMessageId(),
		Type:        biz.MessageType(req.GetType()),
		Content:     req.GetContent(),
		Metadata:    req.GetMetadata(),
		AckRequired: req.GetAckRequired(),
		ReplyTo:     req.GetReplyToSeq(),
		Mentions:    Mentions(req.GetMentions()),
	}, ExpiresIn: ExpiresIn(req.GetExpiresInSeconds())}
}

// Sent answers a SendMessage.
func Sent(room biz.RoomID, r biz.Receipt) *imv1.SendMessageResponse {
	return &imv1.SendMessageResponse{MessageId: r.ID, Timestamp: timestamp(r.Time), Status: OK(), Seq: r.Seq, RoomId: string(room)}
}

// Join is what a JoinRoom asks for.
func Join(req *imv1.JoinRoomRequest) biz.JoinRequest {
	return biz.JoinRequest{
		Room:     biz.RoomID(req.GetRoomId()),
		User:     biz.UserID(req.GetUserId()),
		Nickname: req.GetMetadata()["nickname"],
		Role:     req.GetMetadata()["role"],
	}
}

// Joined answers a JoinRoom.
func Joined(view biz.RoomView) *imv1.JoinRoomResponse {
	resp := &imv1.JoinRoomResponse{Status: OK(), RoomInfo: roomInfo(view.Room)}
	for _, u := range view.Online {
		resp.OnlineUsers = append(resp.OnlineUsers, string(u))
	}
	return resp
}

// Left answers a LeaveRoom.
func Left() *imv1.LeaveRoomResponse { return &imv1.LeaveRoomResponse{Status: OK()} }

// Room answers a GetRoomInfo.
func Room(view biz.RoomView) *imv1.GetRoomInfoResponse {
	resp := &imv1.GetRoomInfoResponse{Status: OK(), RoomInfo: roomInfo(view.Room), OnlineCount: int32(view.There)}
	for i := range view.Members {
		resp.Users = append(resp.Users, roomUser(&view.Members[i]))
	}
	return resp
}

// Online is Room with those members alone who are online.
func Online(view biz.RoomView) *imv1.GetRoomInfoResponse {
	online := make(map[biz.UserID]bool, len(view.Online))
	for _, u := range view.Online {
		online[u] = true
	}
	members := view.Members[:0:0]
	for _, m := range view.Members {
		if online[m.User] {
			members = append(members, m)
		}
	}
	view.Members = members
	return Room(view)
}

// Transcript answers a GetAudioTranscript. That a transcript has FAILED is no failure of the call: the
// status is 0 all the same, and its message says why.
func Transcript(t biz.Transcript) *imv1.TranscriptResponse {
	status := OK()
	if t.Status == biz.TranscriptFailed {
		status.Message = "transcription failed: " + t.Reason
		status.Details = map[string]string{"reason": t.Reason}
	}
	return &imv1.TranscriptResponse{Status: status, Transcription: &imv1.Transcription{
		AudioId:    string(t.Audio),
		Text:       t.Text,
		Confidence: t.Confidence,
		Status:     imv1.TranscriptStatus(t.Status),
		CreatedAt:  timestamp(t.CreatedAt),
		UpdatedAt:  timestamp(t.UpdatedAt),
	}}
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func roomUser(m *biz.Member) *imv1.RoomUser {
	return &imv1.RoomUser{
		UserId:   string(m.User),
		Nickname: m.Nickname,
		Role:     imv1.UserRole(m.Role),
		Muted:    m.MutedAt(time.Now()),
		JoinedAt: timestamp(m.JoinedAt),

		MutedUntil: timestamp(m.MutedUntil),
	}
}

func roomInfo(r biz.Room) *imv1.RoomInfo {
	return &imv1.RoomInfo{
		RoomId:      string(r.ID),
		Name:        r.Name,
		Description: r.Description,
		Config: &imv1.RoomConfig{
			MaxUsers:           int32(r.Config.MaxUsers),
			Persistent:         r.Config.Persistent,
			MessageTtlSeconds:  int64(r.Config.MessageTTL / time.Second),
			IdleTimeoutSeconds: int64(r.Config.IdleTimeout / time.Second),
			AllowAudio:         r.Config.AllowAudio,
			AllowRichText:      r.Config.AllowRichText,
			AutoTranscribe:     r.Config.AutoTranscribe,
			InviteOnly:         r.Config.InviteOnly,
		},
		CreatedAt:    timestamp(r.CreatedAt),
		LastActive:   timestamp(r.LastActive),
		MessageCount: r.HeadSeq - r.FloorSeq,
		UserCount:    int32(r.Members),
		Kind:         imv1.RoomKind(r.Kind),
	}
}
