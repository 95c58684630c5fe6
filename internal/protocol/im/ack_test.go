package im

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func marshal(t testing.TB, c *imv1.AckContent) []byte {
	t.Helper()
	data, err := proto.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAckContent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		content string
		want    string // original_message_id; "": refused
	}{
		{"protobuf", string(marshal(t, &imv1.AckContent{OriginalMessageId: "id", Success: true})), "id"},
		{"JSON", `{"original_message_id":"id","success":true}`, "id"},
		{"JSON in protobuf's own spelling", `{"originalMessageId":"id"}`, "id"},
		{"JSON with blanks before it", " \t\r\n{\"original_message_id\":\"id\"}", "id"},
		{"JSON with more in it", `{"original_message_id":"id","read_at":5}`, "id"},
		{"a protobuf that begins like JSON", "\n\x7b" + strings.Repeat("x", 0x7b), strings.Repeat("x", 0x7b)},
		{"nothing", "", ""},
		{"blanks", "  ", ""},
		{"JSON without the id", `{"success":true}`, ""},
		{"JSON with a number for an id", `{"original_message_id":5}`, ""},
		{"half of JSON", `{"original_message_id":"id"`, ""},
		{"another JSON", `["id"]`, ""},
		{"protobuf without the id", string(marshal(t, &imv1.AckContent{Success: true})), ""},
		{"garbage", "\xff\xff\xff", ""},
		{"text", "ok", ""},
		{"an id not in UTF-8", "\x0a\x01\xff", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := ackContent([]byte(test.content))
			switch {
			case test.want == "" && err == nil:
				t.Errorf("read as %v", got)
			case test.want == "" && err.Reason != "INVALID_ARGUMENT":
				t.Errorf("refused with %s", err.Reason)
			case test.want != "" && (err != nil || got.GetOriginalMessageId() != test.want):
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func FuzzAckContent(f *testing.F) {
	f.Add(marshal(f, &imv1.AckContent{OriginalMessageId: "id"}))
	f.Add([]byte(`{"original_message_id":"id"}`))
	f.Add([]byte("{"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := ackContent(content)
		if (err == nil) != (c.GetOriginalMessageId() != "") {
			t.Errorf("%q: %v, %v", content, c, err)
		}
	})
}
