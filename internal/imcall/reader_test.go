package imcall_test

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

func encoded(t *testing.T, m proto.Message) string {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func inJSON(t *testing.T, m proto.Message, names bool) string {
	t.Helper()
	b, err := protojson.MarshalOptions{UseProtoNames: names}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReaderReadsWhatClientsWrite: contents in every way in which clients write them.
func TestReaderReadsWhatClientsWrite(t *testing.T) {
	t.Parallel()
	text, rich, audio := biz.TypeText, biz.TypeRichText, biz.TypeAudio
	markdown := &imv1.RichTextContent{ContentType: "markdown", RawContent: "**a** <b>", HtmlContent: "<p>no</p>"}
	page := &imv1.RichTextContent{ContentType: "html", RawContent: `<h1>Big</h1><p>un<b>break</b>able<br>line &amp; <img alt="x"></p><style>p{}</style><script>var x="</p>"</script>end`}
	spoken := &imv1.AudioContent{AudioId: "id", Transcription: "what was said"}
	for name, test := range map[string]struct {
		kind    biz.MessageType
		content string
		want    string
	}{
		"nothing":               {text, "", ""},
		"plain":                 {text, "hello 你好", "hello 你好"},
		"plain with a newline":  {text, "\nhello", "\nhello"},
		"plain that looks odd":  {text, "{hello}", "{hello}"},
		"by convention":         {text, encoded(t, &imv1.TextContent{Text: "hello 你好"}), "hello 你好"},
		"in JSON":               {text, inJSON(t, &imv1.TextContent{Text: "hello \"you\""}, false), `hello "you"`},
		"in other JSON":         {text, `{"body":"hello"}`, `{"body":"hello"}`},
		"bytes":                 {text, "\xff\xfe\x00\x01", ""},
		"markdown":              {rich, encoded(t, markdown), "**a** <b>"},
		"markdown in JSON":      {rich, inJSON(t, markdown, false), "**a** <b>"},
		"markdown in JSON, too": {rich, inJSON(t, markdown, true), "**a** <b>"},
		"html":                  {rich, encoded(t, page), "Big unbreakable line & end"},
		"html in JSON":          {rich, inJSON(t, page, true), "Big unbreakable line & end"},
		"html alone":            {rich, encoded(t, &imv1.RichTextContent{HtmlContent: "<p>only</p>"}), "only"},
		"plain html":            {rich, "<p>only</p>", "only"},
		"plain rich text":       {rich, "1 < 2 and **b**", "1 < 2 and **b**"},
		"a cut tag":             {rich, "<p>a</p><b", "a"},
		"spoken":                {audio, encoded(t, spoken), "what was said"},
		"spoken, in JSON":       {audio, inJSON(t, spoken, false), "what was said"},
		"not yet understood":    {audio, encoded(t, &imv1.AudioContent{AudioId: "id"}), ""},
		"sounds":                {audio, "OggS\x00", ""},
		"of the node":           {biz.TypeSystem, "hello", ""},
		"of another kind":       {77, "hello", ""},
	} {
		got := imcall.Reader{}.Text(&biz.Message{Type: test.kind, Content: []byte(test.content)})
		if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(test.want), " ") {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestReaderKnowsWhatHasChanged(t *testing.T) {
	t.Parallel()
	about := encoded(t, imcall.Event(&biz.Event{Type: biz.EventEdited, Target: 7, Content: []byte("x")}))
	for _, test := range []struct {
		kind    biz.MessageType
		event   biz.EventType
		content string
		want    int64
	}{
		{biz.TypeSystem, biz.EventEdited, about, 7},
		{biz.TypeSystem, biz.EventRecalled, about, 7},
		{biz.TypeSystem, biz.EventExpired, about, 7},
		{biz.TypeSystem, biz.EventReactionAdded, about, 0},
		{biz.TypeSystem, "", about, 0},
		{biz.TypeSystem, biz.EventEdited, "", 0},
		{biz.TypeSystem, biz.EventEdited, "\xff", 0},
		{biz.TypeSystem, biz.EventEdited, encoded(t, &imv1.SystemContent{TargetSeq: -1}), 0},
		{biz.TypeText, biz.EventEdited, about, 0},
	} {
		m := &biz.Message{Type: test.kind, Content: []byte(test.content), Metadata: map[string]string{"event_type": string(test.event)}}
		if got := (imcall.Reader{}).Changed(m); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

// FuzzReader: whatever a content is, it is read without harm, and plain text stays what it is.
func FuzzReader(f *testing.F) {
	f.Add(int32(1), []byte("hello"))
	f.Add(int32(1), []byte(`{"text":"hello"}`))
	f.Add(int32(3), []byte("<p>a<script>b</p></script>"))
	f.Add(int32(3), []byte(`{"raw_content":"<b>x</b>","content_type":"html"}`))
	f.Add(int32(2), []byte(`{"transcription":"x"}`))
	f.Add(int32(4), []byte("\x18\x07"))
	f.Fuzz(func(t *testing.T, kind int32, content []byte) {
		m := &biz.Message{Type: biz.MessageType(kind), Content: content, Metadata: map[string]string{"event_type": "message_edited"}}
		text := imcall.Reader{}.Text(m)
		if len(text) > 4*len(content)+64 {
			t.Errorf("%d bytes of text in %d", len(text), len(content))
		}
		if seq := (imcall.Reader{}).Changed(m); seq < 0 {
			t.Errorf("changed %d", seq)
		}
		if quoted, err := json.Marshal(map[string]string{"text": text}); err == nil && kind == 1 && json.Valid(quoted) {
			var back struct{ Text string }
			if json.Unmarshal(quoted, &back) == nil && back.Text != "" {
				again := imcall.Reader{}.Text(&biz.Message{Type: biz.TypeText, Content: quoted})
				if again != back.Text {
					t.Errorf("%q became %q in JSON", back.Text, again)
				}
			}
		}
	})
}
