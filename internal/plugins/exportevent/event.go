// Package exportevent is the event that exports publish, as JSON, whatever carries it. docs/exported-events.md is for who reads
// it.
package exportevent

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/game-im/hermod/plugin"
)

// ContentType is that of an encoded event.
const ContentType = "application/json"

// Event is what was said in a room, or who joined or left it.
type Event struct {
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

// OfMessage returns the event of a message.
func OfMessage(m plugin.Message) Event {
	v := Event{
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

// OfRoomEvent returns the event of somebody who joined or left. Other kinds are not exported: known is false.
func OfRoomEvent(r plugin.RoomEvent) (v Event, known bool) {
	if r.Kind != plugin.Joined && r.Kind != plugin.Left {
		return Event{}, false
	}
	return Event{Kind: r.Kind.String(), RoomID: r.RoomID, UserID: r.UserID, Nickname: r.Nickname, Role: r.Role, Time: r.Time.UTC()}, true
}

// UniqueID is what repetitions of an event have in common, and no other event has: printable, without line breaks.
func (v Event) UniqueID() string {
	if v.ID != "" {
		return v.ID
	}
	return fmt.Sprintf("%s %s %s %d", v.Kind, url.PathEscape(v.RoomID), url.PathEscape(v.UserID), v.Time.UnixNano())
}

// Encode returns the event as JSON.
func (v Event) Encode() ([]byte, error) { return json.Marshal(v) }
