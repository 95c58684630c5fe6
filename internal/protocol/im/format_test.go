package im_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/frame"
)

var (
	instant = time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC)
	stamp   = timestamppb.New(instant)
)

func encode(t rapid.TB, payload any) *frame.Encoded {
	t.Helper()
	e, err := frame.New(payload).In(im.Proto)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func parse(t rapid.TB, data []byte) *imv1.MessageResponse {
	t.Helper()
	m := &imv1.MessageResponse{}
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatalf("a client cannot read %x: %v", data, err)
	}
	return m
}

func bytesOf(t rapid.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	message := &biz.Message{
		ID: "id", Room: "r", Seq: 7, Sender: "alice", ClientID: "c1", Type: biz.TypeRichText, Content: []byte{0, 0xff, '{'},
		Metadata: map[string]string{"k": "v", "client-message-id": "spoofed"}, AckRequired: true, Time: instant,
	}
	asMessage := &imv1.MessageResponse{
		MessageId: "id", FromUserId: "alice", RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_RICH_TEXT, Content: []byte{0, 0xff, '{'},
		Timestamp: stamp, Metadata: map[string]string{"k": "v", "client-message-id": "spoofed"}, AckRequired: true, Seq: 7,
	}
	asOwn := proto.CloneOf(asMessage)
	asOwn.Metadata["client-message-id"] = "c1"
	for name, test := range map[string]struct {
		payload any
		want    *imv1.MessageResponse
	}{
		"message":      {message, asMessage},
		"own message":  {protocol.Own{Message: message}, asOwn},
		"bare message": {&biz.Message{ID: "id", Time: instant}, &imv1.MessageResponse{MessageId: "id", Timestamp: stamp}},
		"own message without metadata": {
			protocol.Own{Message: &biz.Message{ClientID: "c1", Time: instant}},
			&imv1.MessageResponse{Timestamp: stamp, Metadata: map[string]string{"client-message-id": "c1"}},
		},
		"expired": {
			&protocol.Expired{ID: "id", Room: "r", Seq: 7, Time: instant},
			&imv1.MessageResponse{
				MessageId: "id", RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Seq: 7, Timestamp: stamp,
				Content:  bytesOf(t, &imv1.SystemContent{EventType: "messages_expired", EventData: map[string]string{"floor_seq": "7"}}),
				Metadata: map[string]string{"event_type": "messages_expired", "floor_seq": "7"},
			},
		},
		"ack": {
			&protocol.Ack{Room: "r", ClientID: "c1", Receipt: biz.Receipt{ID: "id", Seq: 7, Time: instant}},
			&imv1.MessageResponse{
				MessageId: "id", RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_ACK, Seq: 7, Timestamp: stamp,
				Content: bytesOf(t, &imv1.AckContent{OriginalMessageId: "c1", Success: true}),
			},
		},
		"refusal": {
			&protocol.Ack{Room: "r", ClientID: "c1", Err: biz.Errorf(biz.KindInternal, "WHY", "text").Because(errors.New("secret"))},
			&imv1.MessageResponse{
				RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_ACK, Metadata: map[string]string{"reason": "WHY"},
				Content: bytesOf(t, &imv1.AckContent{OriginalMessageId: "c1", ErrorMessage: "text"}),
			},
		},
		"notice": {
			&protocol.Notice{Type: biz.TypeJoinRoom, ID: "id", Room: "r", User: "bob", Metadata: map[string]string{"role": "user"}, Time: instant},
			&imv1.MessageResponse{
				MessageId: "id", FromUserId: "bob", RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM,
				Metadata: map[string]string{"role": "user"}, Timestamp: stamp,
			},
		},
		"heartbeat": {
			&protocol.Heartbeat{Content: []byte("ping"), Time: instant},
			&imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Content: []byte("ping"), Timestamp: stamp},
		},
		"push": {
			&biz.Push{ID: "id", MsgType: "m", Title: "t", Content: "c", Data: []byte{0xff}, Time: instant, Metadata: map[string]string{"k": "v", "title": "another"}},
			&imv1.MessageResponse{
				MessageId: "id", Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: []byte{0xff}, Timestamp: stamp,
				Metadata: map[string]string{"k": "v", "msg_type": "m", "title": "t", "content": "c"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := parse(t, encode(t, test.payload).Body()); !proto.Equal(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
	if len(message.Metadata) != 2 || message.Metadata["client-message-id"] != "spoofed" {
		t.Error("a shared message was changed")
	}
}

func TestWhatHasNoEncodingIsAnError(t *testing.T) {
	t.Parallel()
	for _, payload := range []any{nil, "text", biz.Message{}, &protocol.Own{}} {
		if e, err := frame.New(payload).In(im.Proto); err == nil {
			t.Errorf("%T became %x", payload, e.Body())
		}
	}
}

// drawMessage draws a message with all the bytes that one may have.
func drawMessage(t *rapid.T) *biz.Message {
	return &biz.Message{
		ID: rapid.String().Draw(t, "id"), Room: "r", Sender: biz.UserID(rapid.String().Draw(t, "sender")),
		Seq: rapid.Int64Range(0, math.MaxInt64).Draw(t, "seq"), Type: biz.MessageType(rapid.Int32Range(1, 8).Draw(t, "type")),
		Content:  rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "content"),
		Metadata: rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "metadata"), Time: instant,
	}
}

// TestANumberBeforeABodyIsAMessage: the few bytes that differ from receiver to receiver are put
// before the shared ones, and the client reads one message.
func TestANumberBeforeABodyIsAMessage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		link := rapid.Uint64Min(1).Draw(t, "link")
		body := encode(t, m).Body()
		got := parse(t, append(im.Proto.Number(nil, link), body...))
		want := parse(t, body)
		if want.LinkSeq != 0 || !slices.Equal(want.Content, m.Content) || want.Seq != m.Seq {
			t.Fatalf("the body alone: %v", want)
		}
		want.LinkSeq = link
		if !proto.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// TestAnEnvelopeIsAMessage: items put one after another behind one number are one message with a
// batch.
func TestAnEnvelopeIsAMessage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		link := rapid.Uint64().Draw(t, "link")
		want := &imv1.MessageResponse{LinkSeq: link}
		var wire []byte
		if link > 0 {
			wire = im.Proto.Number(wire, link)
		}
		for range rapid.IntRange(1, 10).Draw(t, "items") {
			e := encode(t, drawMessage(t))
			wire = append(wire, e.Item()...)
			want.Batch = append(want.Batch, parse(t, e.Body()))
		}
		if got := parse(t, wire); !proto.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestAnEmptyBodyIsAnItemToo(t *testing.T) {
	t.Parallel()
	empty := im.Proto.Item(nil, 0)
	if got := parse(t, slices.Concat(empty, empty)); len(got.Batch) != 2 {
		t.Errorf("two empty items are %v", got)
	}
	large := encode(t, &biz.Message{Content: []byte(strings.Repeat("x", 1<<20)), Time: instant})
	if got := parse(t, large.Item()); len(got.Batch) != 1 || len(got.Batch[0].Content) != 1<<20 {
		t.Error("a large item was not read back")
	}
}
