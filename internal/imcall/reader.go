package imcall

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// Reader is a biz.MessageReader that knows what contents of im.v1 are. The server gives contents no meaning of its
// own, so clients write them in more than one way: as the message that the wire has for the type, as that message in
// JSON, or as plain text. Reader takes all of them.
type Reader struct{}

// Text is what people can find in a message: the text of TEXT and RICH_TEXT, without tags, and what was said in
// AUDIO once that is known. Other types say nothing to people.
func (Reader) Text(m *biz.Message) string {
	if len(m.Content) == 0 {
		return ""
	}
	switch m.Type {
	case biz.TypeText:
		return plainText(m.Content)
	case biz.TypeRichText:
		return richText(m.Content)
	case biz.TypeAudio:
		return transcription(m.Content)
	}
	return ""
}

// Changed is the seq of the message that a SYSTEM message tells of a change of what it says.
func (Reader) Changed(m *biz.Message) int64 {
	if m.Type != biz.TypeSystem {
		return 0
	}
	switch biz.EventType(m.Metadata["event_type"]) {
	case biz.EventEdited, biz.EventRecalled, biz.EventExpired:
	default:
		return 0
	}
	var c imv1.SystemContent
	if proto.Unmarshal(m.Content, &c) != nil {
		return 0
	}
	return max(0, c.GetTargetSeq())
}

func plainText(content []byte) string {
	var c imv1.TextContent
	if decoded(content, &c) {
		return c.GetText()
	}
	var j struct{ Text *string }
	if unquoted(content, &j) && j.Text != nil {
		return *j.Text
	}
	return asText(content)
}

func richText(content []byte) string {
	var c imv1.RichTextContent
	if decoded(content, &c) {
		return shown(c.GetContentType(), orElse(c.GetRawContent(), c.GetHtmlContent()))
	}
	var j struct {
		ContentType, RawContent, HTMLContent string
		Type                                 string `json:"content_type"`
		Raw                                  string `json:"raw_content"`
		HTML                                 string `json:"html_content"`
	}
	if unquoted(content, &j) {
		if raw := orElse(orElse(j.Raw, j.RawContent), orElse(j.HTML, j.HTMLContent)); raw != "" {
			return shown(orElse(j.Type, j.ContentType), raw)
		}
	}
	return shown("", asText(content))
}

func transcription(content []byte) string {
	var c imv1.AudioContent
	if decoded(content, &c) {
		return c.GetTranscription()
	}
	var j struct{ Transcription string }
	if unquoted(content, &j) {
		return j.Transcription
	}
	return ""
}

// decoded tells whether content is a message of that kind. What else happens to be valid has fields that the
// message does not know: almost anything does, but for a text that is empty.
func decoded(content []byte, m proto.Message) bool {
	return proto.Unmarshal(content, m) == nil && len(m.ProtoReflect().GetUnknown()) == 0
}

// unquoted reads a JSON object.
func unquoted(content []byte, into any) bool {
	return content[0] == '{' && json.Unmarshal(content, into) == nil
}

func asText(content []byte) string {
	if !utf8.Valid(content) {
		return ""
	}
	return string(content)
}

// shown is what a reader sees of rich text. What is no HTML, or does not say so and has no tags, stays as it is.
func shown(kind, text string) string {
	switch kind {
	case "html", "text/html":
	case "":
		if !strings.Contains(text, "</") {
			return text
		}
	default:
		return text
	}
	var b strings.Builder
	hidden := 0
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		switch z.Next() {
		case html.ErrorToken: // the end
			return b.String()
		case html.TextToken:
			if hidden == 0 {
				b.Write(z.Text())
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			if unseen[string(name)] {
				hidden++
			}
			separate(&b, string(name))
		case html.EndTagToken:
			name, _ := z.TagName()
			if unseen[string(name)] {
				hidden = max(0, hidden-1)
			}
			separate(&b, string(name))
		case html.SelfClosingTagToken:
			b.WriteByte(' ')
		}
	}
}

// unseen are elements whose text nobody sees.
var unseen = map[string]bool{"script": true, "style": true, "template": true, "noscript": true}

// within are elements that a word may begin or end in; all others end it.
var within = map[string]bool{
	"a": true, "abbr": true, "b": true, "bdi": true, "cite": true, "code": true, "del": true, "em": true, "font": true, "i": true,
	"ins": true, "kbd": true, "mark": true, "q": true, "s": true, "samp": true, "small": true, "span": true, "strong": true,
	"sub": true, "sup": true, "tt": true, "u": true, "var": true,
}

func separate(b *strings.Builder, element string) {
	if !within[element] {
		b.WriteByte(' ')
	}
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
