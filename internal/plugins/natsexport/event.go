package natsexport

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/game-im/hermod/plugin"
)

// event is what is published, as JSON. docs/nats-export.md is for who reads it.
type event struct {
	Kind     string            `json:"kind"` // message, joined, left
	ID       string            `json:"id,omitempty"`
	RoomID   string            `json:"room_id"`
	Seq      int64             `json:"seq,omitempty"`
	UserID   string            `json:"user_id"`
	ClientID string            `json:"client_id,omitempty"`
	Type     string            `json:"type,omitempty"`
	Text     string            `json:"text,omitempty"`    // the content where it is UTF-8
	Content  []byte            `json:"content,omitempty"` // where it is not, in base 64
	Metadata map[string]string `json:"metadata,omitempty"`
	Nickname string            `json:"nickname,omitempty"`
	Role     string            `json:"role,omitempty"`
	Time     time.Time         `json:"time"`
}

var types = map[plugin.MessageType]string{
	plugin.Text: "text", plugin.Recording: "audio", plugin.RichText: "rich_text", plugin.System: "system",
}

func ofMessage(m plugin.Message) event {
	v := event{
		Kind: "message", ID: m.ID, RoomID: m.RoomID, Seq: m.Seq, UserID: m.UserID, ClientID: m.ClientID,
		Type: types[m.Type], Metadata: m.Metadata, Time: m.Time.UTC(),
	}
	if v.Type == "" {
		v.Type = fmt.Sprint(int32(m.Type))
	}
	if utf8.Valid(m.Content) {
		v.Text = string(m.Content)
	} else {
		v.Content = m.Content
	}
	return v
}

func ofRoomEvent(r plugin.RoomEvent) event {
	return event{Kind: r.Kind.String(), RoomID: r.RoomID, UserID: r.UserID, Nickname: r.Nickname, Role: r.Role, Time: r.Time.UTC()}
}

func (v event) encode(subject, id string) (*nats.Msg, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header.Set(nats.MsgIdHdr, id)
	msg.Header.Set("Content-Type", "application/json")
	return msg, nil
}
