package im

import (
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// FuzzMessageRequest reads whatever may come in both formats: what cannot be read is the client's fault,
// and what can is the same when it is written and read again.
func FuzzMessageRequest(f *testing.F) {
	m := &imv1.MessageRequest{MessageId: "1", UserId: "alice", RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("x"), Metadata: map[string]string{"a": "b"}}
	for _, marshal := range []func(proto.Message) ([]byte, error){proto.Marshal, protojson.Marshal} {
		data, err := marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"type": 99, "content": "eA==", "timestamp": "2026-01-01T00:00:00Z", "later": [1]}`))
	f.Add([]byte(`{"content": "\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for format, marshal := range map[*frame.Format]func(proto.Message) ([]byte, error){Proto: proto.Marshal, JSON: protojson.Marshal} {
			req, err := request(format, data)
			if err != nil {
				if e := biz.AsError(err); e.Kind != biz.KindInvalid || req == nil {
					t.Fatalf("%q in %s: %v, and %v", data, format.Name, req, e)
				}
				continue
			}
			again, err := marshal(req)
			if err != nil {
				continue // such as a time beyond the year 9999, which protobuf reads and JSON cannot write
			}
			back, err := request(format, again)
			if err != nil || !proto.Equal(clean(back), clean(req)) {
				t.Fatalf("%q in %s is %v, and then %v, %v", data, format.Name, req, back, err)
			}
		}
	})
}

// clean is a message without what only a newer client knows.
func clean(m *imv1.MessageRequest) proto.Message {
	c := proto.Clone(m)
	c.ProtoReflect().SetUnknown(nil)
	return c
}

// FuzzDecode reads the bodies of frames, as a session does whose client comes back in another format: what
// can be read can be written in both.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`"type":"MESSAGE_TYPE_ACK","content":"e30="}`))
	f.Add([]byte(`"messageId":"1"}`))
	f.Add([]byte{0x0a, 0x01, 0x31, 0x20, 0x05, 0x2a, 0x02, 0x10, 0x01})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, from := range []*frame.Format{Proto, JSON} {
			payload, err := from.Decode(body)
			if err != nil {
				continue
			}
			for _, to := range []*frame.Format{Proto, JSON} {
				enc, err := frame.New(payload).In(to)
				if err != nil {
					continue // an ACK that holds none, or a time that JSON cannot write: never written by a node
				}
				if _, err := to.Decode(enc.Body()); err != nil {
					t.Fatalf("%q of %s becomes %q of %s, and that is %v", body, from.Name, enc.Body(), to.Name, err)
				}
			}
		}
	})
}
