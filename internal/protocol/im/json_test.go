package im_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// asJSON is a payload as a client reads it, with a number or, for 0, without.
func asJSON(t *testing.T, payload any, link uint64) string {
	t.Helper()
	enc, err := frame.New(payload).In(im.JSON)
	if err != nil {
		t.Fatal(err)
	}
	return string(im.JSON.Prefix(nil, link)) + string(enc.Body())
}

var someTime = time.Unix(1_700_000_000, 0)

func TestJSONFramesAreMessages(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]any{
		"message":   &biz.Message{ID: "id", Room: "r", Sender: "alice", Type: biz.TypeText, Content: []byte("hi \"there\"\x00"), Seq: 1 << 60, Time: someTime},
		"own":       protocol.Own{Message: &biz.Message{ID: "id", Room: "r", Type: biz.TypeText, Time: someTime, ClientID: "c"}},
		"notice":    &protocol.Notice{ID: "n", User: "u", Room: "r", Time: someTime},
		"heartbeat": &protocol.Heartbeat{Time: someTime},
		"greeting":  &protocol.Greeting{Headers: map[string]string{"session-id": "s"}, Time: someTime},
		"push":      &biz.Push{ID: "p", Title: "t", Time: someTime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enc, err := frame.New(payload).In(im.Proto)
			if err != nil {
				t.Fatal(err)
			}
			want := &imv1.MessageResponse{}
			if err := proto.Unmarshal(enc.Body(), want); err != nil {
				t.Fatal(err)
			}
			for _, link := range []uint64{0, 1, 1<<64 - 1} {
				want.LinkSeq = link
				got := &imv1.MessageResponse{}
				if err := protojson.Unmarshal([]byte(asJSON(t, payload, link)), got); err != nil || !proto.Equal(got, want) {
					t.Errorf("%d: %v\ngot  %v\nwant %v", link, err, got, want)
				}
			}
		})
	}
}

// TestAnAckInJSONNeedsNoProtobuf reads an ACK as a script would.
func TestAnAckInJSONNeedsNoProtobuf(t *testing.T) {
	t.Parallel()
	text := asJSON(t, &protocol.Ack{Room: "r", ClientID: "mine", Receipt: biz.Receipt{ID: "theirs", Seq: 7, Time: someTime}}, 3)
	var m struct {
		Type    string
		Content []byte
		Seq     string
		LinkSeq string
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var ack struct {
		OriginalMessageID string `json:"originalMessageId"`
		Success           bool
	}
	if err := json.Unmarshal(m.Content, &ack); err != nil {
		t.Fatalf("%v in %s", err, m.Content)
	}
	if m.Type != "MESSAGE_TYPE_ACK" || m.Seq != "7" || m.LinkSeq != "3" || ack.OriginalMessageID != "mine" || !ack.Success {
		t.Errorf("got %+v, %+v", m, ack)
	}
}

// TestFramesChangeTheirFormat is what a session needs that goes on over a connection of the other
// format.
func TestFramesChangeTheirFormat(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]any{
		"message": &biz.Message{ID: "id", Room: "r", Sender: "alice", Type: biz.TypeText, Content: []byte("hi"), Seq: 3, Time: someTime},
		"ack":     &protocol.Ack{Room: "r", ClientID: "mine", Receipt: biz.Receipt{ID: "theirs", Seq: 7, Time: someTime}},
		"refusal": &protocol.Ack{Room: "r", ClientID: "mine", Err: biz.Errorf(biz.KindInvalid, "WHY", "because")},
	} {
		f := frame.New(payload)
		first, err := f.In(im.Proto)
		if err != nil {
			t.Fatal(err)
		}
		there, err := im.Proto.Recode(first, im.JSON)
		if err != nil {
			t.Fatal(name, err)
		}
		back, err := im.JSON.Recode(there, im.Proto)
		if err != nil {
			t.Fatal(name, err)
		}
		var a, b imv1.MessageResponse
		if err := proto.Unmarshal(first.Body(), &a); err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(back.Body(), &b); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(&a, &b) {
			t.Errorf("%s came back as %v, was %v", name, &b, &a)
		}
		if !strings.HasPrefix(string(im.JSON.Prefix(nil, 0))+string(there.Body()), "{") {
			t.Errorf("%s is no JSON", name)
		}
	}
}
