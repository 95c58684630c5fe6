package tail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// shownBytes is how much is shown of content that is not text.
const shownBytes = 48

// readable returns the content of a message in one line that cannot steer a terminal: text as it is, what
// follows the conventions of im.proto as what it says, and anything else as base64.
func readable(m *imv1.MessageResponse) string {
	content := m.GetContent()
	if text, ok := decoded(m); ok {
		return oneLine(text)
	}
	if utf8.Valid(content) && !bytes.ContainsRune(content, 0) {
		return oneLine(string(content))
	}
	shown, more := content, ""
	if len(shown) > shownBytes {
		shown, more = shown[:shownBytes], "…"
	}
	return fmt.Sprintf("(%d bytes) %s%s", len(content), base64.StdEncoding.EncodeToString(shown), more)
}

// oneLine escapes what would break the line or steer the terminal, as Go does, and the backslash with which
// that begins.
func oneLine(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case unicode.IsPrint(r), unicode.Is(unicode.Join_Control, r): // joiners, which words of some languages have, and emoji
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// decoded returns what the content says if it is the message that im.proto has for its type.
func decoded(m *imv1.MessageResponse) (string, bool) {
	switch m.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_TEXT:
		c := &imv1.TextContent{}
		return says(m, c, c.GetText)
	case imv1.MessageType_MESSAGE_TYPE_RICH_TEXT:
		c := &imv1.RichTextContent{}
		return says(m, c, func() string { return pairs(c.GetContentType(), "", c.GetRawContent(), "html", c.GetHtmlContent()) })
	case imv1.MessageType_MESSAGE_TYPE_AUDIO:
		c := &imv1.AudioContent{}
		return says(m, c, func() string {
			return pairs(c.GetAudioId(), "url", c.GetAudioUrl(), "format", c.GetFormat(), "seconds", number(c.GetDuration()),
				"bytes", number(float64(c.GetSize())), "says", c.GetTranscription())
		})
	case imv1.MessageType_MESSAGE_TYPE_SYSTEM:
		c := &imv1.SystemContent{}
		return says(m, c, func() string {
			var data []string
			for _, key := range slices.Sorted(maps.Keys(c.GetEventData())) {
				data = append(data, key, c.GetEventData()[key])
			}
			return pairs(c.GetEventType(), data...)
		})
	}
	return "", false
}

// says decodes the content. That it has no field that is unknown, and is what the message would be encoded
// as again, tells it from text, which hardly ever is a message by accident.
func says(m *imv1.MessageResponse, into proto.Message, text func() string) (string, bool) {
	content := m.GetContent()
	if len(content) == 0 || proto.Unmarshal(content, into) != nil || len(into.ProtoReflect().GetUnknown()) > 0 || proto.Size(into) != len(content) {
		return "", false
	}
	return text(), true
}

// pairs shows what is not empty of keys and values behind the first text. A value without a key has none.
func pairs(first string, more ...string) string {
	words := []string{first}
	for i := 0; i+1 < len(more); i += 2 {
		switch key, value := more[i], more[i+1]; {
		case value == "":
		case key == "":
			words = append(words, value)
		default:
			words = append(words, key+"="+value)
		}
	}
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

func number(f float64) string {
	if f == 0 {
		return ""
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
