package chat

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// Client is what a chat needs of sdk/client.
type Client interface {
	Rooms
	Talk
	Changes
	Past
	Company
}

// Rooms are entered and left.
type Rooms interface {
	JoinRoom(roomID string, metadata map[string]string) (*imv1.JoinRoomResponse, error)
	LeaveRoom(roomID string) (*imv1.LeaveRoomResponse, error)
	GetRoomInfo(roomID string) (*imv1.GetRoomInfoResponse, error)
}

// Talk is what is said.
type Talk interface {
	Send(ctx context.Context, req *imv1.MessageRequest) (*client.SendResult, error)
	UploadAudioFile(ctx context.Context, path string, opts client.UploadOptions) (*imv1.UploadAudioResponse, error)
	Typing(ctx context.Context, roomID string) error
}

// Changes are what becomes of what was said.
type Changes interface {
	EditMessage(ctx context.Context, roomID string, seq int64, e client.Edit) (*imv1.EditMessageResponse, error)
	RecallMessage(ctx context.Context, roomID string, seq int64, reason string) (*imv1.RecallMessageResponse, error)
	React(ctx context.Context, roomID string, seq int64, reaction string) (*imv1.ReactResponse, error)
	Unreact(ctx context.Context, roomID string, seq int64, reaction string) (*imv1.ReactResponse, error)
}

// Past is what was said before.
type Past interface {
	History(ctx context.Context, roomID string, o client.HistoryOptions) (*imv1.HistoryResponse, error)
	SearchPage(ctx context.Context, q client.SearchQuery) (*imv1.SearchResponse, error)
	MarkRead(ctx context.Context, roomID string, seq int64) (*imv1.RoomState, error)
	ListReaders(ctx context.Context, roomID string, seq int64, o client.PageOptions) (*imv1.ListReadersResponse, error)
}

// Company is who else is there.
type Company interface {
	Presence(ctx context.Context, userIDs ...string) ([]*imv1.UserPresence, error)
	WatchPresence(ctx context.Context, userIDs, roomIDs []string) error
	SetAway(ctx context.Context, away bool) error
}
