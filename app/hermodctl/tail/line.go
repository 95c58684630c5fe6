package tail

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Text shows a line for each message: time, room, seq, sender, type and content.
type Text struct {
	Location *time.Location // nil: local time
	out      *bufio.Writer
}

// NewText returns a Text that writes to out.
func NewText(out io.Writer) *Text { return &Text{out: bufio.NewWriter(out)} }

// Message implements Screen.
func (t *Text) Message(m *imv1.MessageResponse) error {
	location := t.Location
	if location == nil {
		location = time.Local
	}
	_, err := fmt.Fprintf(t.out, "%s  %s %d  %s  %s  %s\n", m.GetTimestamp().AsTime().In(location).Format("2006-01-02 15:04:05.000"),
		oneLine(m.GetRoomId()), m.GetSeq(), oneLine(m.GetFromUserId()), strings.ToLower(typeName(m)), readable(m))
	return err
}

// Flush implements Screen.
func (t *Text) Flush() error { return t.out.Flush() }

func typeName(m *imv1.MessageResponse) string {
	return strings.TrimPrefix(m.GetType().String(), "MESSAGE_TYPE_")
}

// line is a message as JSON.
type line struct {
	Room     string            `json:"room_id"`
	Seq      int64             `json:"seq"`
	ID       string            `json:"message_id"`
	From     string            `json:"from_user_id"`
	Type     string            `json:"type"` // as in im.proto
	Time     time.Time         `json:"timestamp"`
	Content  *string           `json:"content,omitempty"` // exactly
	Base64   []byte            `json:"content_base64,omitempty"`
	Text     string            `json:"text,omitempty"` // of content that im.proto has a message for
	Metadata map[string]string `json:"metadata,omitempty"`
}

// JSON shows a line of JSON for each message. What is not UTF-8 is content_base64 instead of content.
type JSON struct {
	out   *bufio.Writer
	lines *json.Encoder
}

// NewJSON returns a JSON that writes to out.
func NewJSON(out io.Writer) *JSON {
	buffered := bufio.NewWriter(out)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	return &JSON{buffered, lines}
}

// Message implements Screen.
func (j *JSON) Message(m *imv1.MessageResponse) error {
	l := line{
		Room: m.GetRoomId(), Seq: m.GetSeq(), ID: m.GetMessageId(), From: m.GetFromUserId(), Type: m.GetType().String(),
		Time: m.GetTimestamp().AsTime(), Metadata: m.GetMetadata(),
	}
	if content := m.GetContent(); utf8.Valid(content) {
		text := string(content)
		l.Content = &text
	} else {
		l.Base64 = content
	}
	l.Text, _ = decoded(m) // empty when it is not one
	return j.lines.Encode(l)
}

// Flush implements Screen.
func (j *JSON) Flush() error { return j.out.Flush() }
