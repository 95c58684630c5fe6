package tail_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/app/hermodctl/tail"
)

const (
	text   = imv1.MessageType_MESSAGE_TYPE_TEXT
	rich   = imv1.MessageType_MESSAGE_TYPE_RICH_TEXT
	audio  = imv1.MessageType_MESSAGE_TYPE_AUDIO
	system = imv1.MessageType_MESSAGE_TYPE_SYSTEM
)

var noon = time.Date(2026, 5, 17, 12, 0, 0, 123456789, time.UTC)

func message(kind imv1.MessageType, content []byte) *imv1.MessageResponse {
	return &imv1.MessageResponse{
		MessageId: "id", RoomId: "lobby", Seq: 42, FromUserId: "alice", Type: kind, Content: content, Timestamp: timestamppb.New(noon),
	}
}

func encoded(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestText(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind    imv1.MessageType
		content []byte
		want    string
	}{
		"text":                   {text, []byte("hello, 世界 👨‍👩‍👧"), "text  hello, 世界 👨‍👩‍👧"},
		"several lines":          {text, []byte("one\r\ntwo\tx"), `text  one\r\ntwo\tx`},
		"a backslash":            {text, []byte(`C:\n`), `text  C:\\n`},
		"joiners":                {text, []byte("می\u200cخواهم 👩\u200d👧"), "text  می\u200cخواهم 👩\u200d👧"},
		"what steers a terminal": {text, []byte("\x1b[2J\u202ebob"), `text  \x1b[2J\u202ebob`},
		"quotes":                 {text, []byte(`it's "so"`), `text  it's "so"`},
		"text by convention":     {text, encoded(t, &imv1.TextContent{Text: "hello\n"}), `text  hello\n`},
		"text that begins so":    {text, []byte("\n\nhello"), `text  \n\nhello`},
		"JSON":                   {rich, []byte(`{"type":"markdown"}`), `rich_text  {"type":"markdown"}`},
		"rich by convention":     {rich, encoded(t, &imv1.RichTextContent{ContentType: "markdown", RawContent: "**x**"}), `rich_text  markdown **x**`},
		"audio by convention": {audio, encoded(t, &imv1.AudioContent{AudioId: "a1", Duration: 1.5, Format: "opus", Size: 900}),
			`audio  a1 format=opus seconds=1.5 bytes=900`},
		"an event": {system, encoded(t, &imv1.SystemContent{EventType: "moved", EventData: map[string]string{"to": "x", "from": "y"}}),
			`system  moved from=y to=x`},
		"bytes":       {text, []byte{0xff, 0, 1}, `text  (3 bytes) /wAB`},
		"many bytes":  {audio, bytes.Repeat([]byte{0xff}, 1000), `audio  (1000 bytes) ` + strings.Repeat("/", 64) + "…"},
		"nothing":     {text, nil, "text  "},
		"a new kind":  {99, []byte("x"), "99  x"},
		"zero bytes":  {text, []byte("a\x00b"), `text  (3 bytes) YQBi`},
		"half a rune": {text, []byte("\xe4\xb8"), `text  (2 bytes) 5Lg=`},
	} {
		var out bytes.Buffer
		lines := tail.NewText(&out)
		lines.Location = time.UTC
		if err := lines.Message(message(tt.kind, tt.content)); err != nil {
			t.Fatal(err)
		}
		if err := lines.Flush(); err != nil {
			t.Fatal(err)
		}
		if want := "2026-05-17 12:00:00.123  lobby 42  alice  " + tt.want + "\n"; out.String() != want {
			t.Errorf("%s: got %q, want %q", name, out.String(), want)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	const head = `{"room_id":"lobby","seq":42,"message_id":"id","from_user_id":"alice","type":"MESSAGE_TYPE_`
	const at = `,"timestamp":"2026-05-17T12:00:00.123456789Z"`
	with := message(text, []byte("<a&b>\n"))
	with.Metadata = map[string]string{"k": "v"}
	event := encoded(t, &imv1.SystemContent{EventType: "moved"})
	quoted, err := json.Marshal(string(event))
	if err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]*imv1.MessageResponse{
		head + `TEXT"` + at + `,"content":"<a&b>\n","metadata":{"k":"v"}}`:          with,
		head + `TEXT"` + at + `,"content":""}`:                                      message(text, nil),
		head + `AUDIO"` + at + `,"content_base64":"/wA="}`:                          message(audio, []byte{0xff, 0}),
		head + `SYSTEM"` + at + `,"content":` + string(quoted) + `,"text":"moved"}`: message(system, event),
	} {
		var out bytes.Buffer
		lines := tail.NewJSON(&out)
		if err := lines.Message(m); err != nil {
			t.Fatal(err)
		}
		if err := lines.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != want+"\n" {
			t.Errorf("got  %swant %s\n", out.String(), want)
		}
	}
}

// FuzzText: whatever was said is one line without control characters.
func FuzzText(f *testing.F) {
	f.Add(int32(text), []byte("hello"))
	f.Add(int32(system), []byte("\n\x05moved"))
	f.Fuzz(func(t *testing.T, kind int32, content []byte) {
		var out bytes.Buffer
		lines := tail.NewText(&out)
		if err := lines.Message(message(imv1.MessageType(kind), content)); err != nil {
			t.Fatal(err)
		}
		if err := lines.Flush(); err != nil {
			t.Fatal(err)
		}
		line, ended := strings.CutSuffix(out.String(), "\n")
		if !ended || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }) {
			t.Errorf("%q is shown as %q", content, out.String())
		}
	})
}
