package frames

import (
	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/plugin"
)

// FromMessage returns m for the wire.
func FromMessage(m *plugin.Message) *pluginv1.Message {
	return &pluginv1.Message{
		Id: m.ID, RoomId: m.RoomID, Seq: m.Seq, UserId: m.UserID, ClientId: m.ClientID, Type: int32(m.Type),
		Content: m.Content, Metadata: m.Metadata, Time: nanos(m.Time),
	}
}

// ToMessage is the inverse of FromMessage.
func ToMessage(m *pluginv1.Message) plugin.Message {
	return plugin.Message{
		ID: m.GetId(), RoomID: m.GetRoomId(), Seq: m.GetSeq(), UserID: m.GetUserId(), ClientID: m.GetClientId(), Type: plugin.MessageType(m.GetType()),
		Content: m.GetContent(), Metadata: m.GetMetadata(), Time: moment(m.GetTime()),
	}
}

// FromRoomEvent returns e for the wire.
func FromRoomEvent(e *plugin.RoomEvent) *pluginv1.RoomEvent {
	return &pluginv1.RoomEvent{
		Kind: uint32(e.Kind), RoomId: e.RoomID, UserId: e.UserID, Nickname: e.Nickname, Role: e.Role, Time: nanos(e.Time),
	}
}

// ToRoomEvent is the inverse of FromRoomEvent.
func ToRoomEvent(e *pluginv1.RoomEvent) plugin.RoomEvent {
	return plugin.RoomEvent{
		Kind: plugin.RoomEventKind(small(e.GetKind())), RoomID: e.GetRoomId(), UserID: e.GetUserId(),
		Nickname: e.GetNickname(), Role: e.GetRole(), Time: moment(e.GetTime()),
	}
}

// small is a kind that is a byte in Go. One that is none is unknown: no kind has the number 255.
func small(kind uint32) uint8 { return uint8(min(kind, 255)) } //nolint:gosec // bounded

// FromNotification returns n for the wire.
func FromNotification(n *plugin.Notification) *pluginv1.Notification {
	to := &pluginv1.Notification{Users: n.Users, Mentioned: n.Mentioned, Time: nanos(n.Time)}
	if n.Message != nil {
		to.Message = FromMessage(n.Message)
	}
	if p := n.Push; p != nil {
		to.Push = &pluginv1.Pushed{
			Id: p.ID, Action: p.Action, Title: p.Title, Content: p.Content, Data: p.Data, Headers: p.Headers, Expiry: nanos(p.Expiry),
		}
	}
	return to
}

// ToNotification is the inverse of FromNotification.
func ToNotification(n *pluginv1.Notification) plugin.Notification {
	to := plugin.Notification{Users: n.GetUsers(), Mentioned: n.GetMentioned(), Time: moment(n.GetTime())}
	if n.GetMessage() != nil {
		m := ToMessage(n.GetMessage())
		to.Message = &m
	}
	if p := n.GetPush(); p != nil {
		to.Push = &plugin.Pushed{
			ID: p.GetId(), Action: p.GetAction(), Title: p.GetTitle(), Content: p.GetContent(),
			Data: p.GetData(), Headers: p.GetHeaders(), Expiry: moment(p.GetExpiry()),
		}
	}
	return to
}
