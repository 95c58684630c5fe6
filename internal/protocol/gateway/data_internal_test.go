package gateway

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
)

var other = map[*frame.Format]*frame.Format{Proto: JSON, JSON: Proto}

// TestDataChangesItsNotation: what has a message of im.v1 as its data reads the same on a connection of
// the other format as if it had been meant for that from the start.
func TestDataChangesItsNotation(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 2, 29, 12, 0, 0, 123456000, time.UTC)
	m := &biz.Message{ID: "id", Room: "r", Seq: 7, Sender: "alice", ClientID: "c", Type: biz.TypeText, Content: []byte("\x00{\xff"), Time: now}
	for name, payload := range map[string]any{
		"message": m,
		"own":     protocol.Own{Message: m},
		"notice":  &protocol.Notice{Type: biz.TypeJoinRoom, Room: "r", User: "bob", Time: now, Metadata: map[string]string{"role": "user"}},
		"send":    &protocol.Ack{Room: "r", MsgID: 9, Receipt: biz.Receipt{ID: "id", Seq: 7, Time: now}},
		"answer":  answered(9, &imv1.LeaveRoomResponse{Status: &imv1.ResponseStatus{Message: "ok"}}, nil),
		"nothing": answered(9, nil, map[string]string{"rooms": "2"}),
		"push":    &biz.Push{MsgType: "m", Data: []byte("\xffany")},
	} {
		for from, to := range other {
			f := frame.New(payload)
			enc, err := f.In(from)
			if err != nil {
				t.Fatalf("%s in %s: %v", name, from.Name, err)
			}
			again, err := from.Recode(enc, to)
			if err != nil {
				t.Fatalf("%s from %s: %v", name, from.Name, err)
			}
			direct, err := f.In(to)
			if err != nil {
				t.Fatal(err)
			}
			got, want := decoded(t, to, again), decoded(t, to, direct)
			if !proto.Equal(got.body, want.body) || got.msgID != want.msgID || len(got.headers) != len(want.headers) {
				t.Errorf("%s from %s: %v, want %v", name, from.Name, got, want)
			}
			if (got.data == nil) != (want.data == nil) || got.data != nil && !proto.Equal(got.data, want.data) {
				t.Errorf("%s from %s: %v, want %v", name, from.Name, got.data, want.data)
			}
		}
	}
}

func decoded(t *testing.T, f *frame.Format, e *frame.Encoded) *outgoing {
	t.Helper()
	payload, err := f.Decode(e.Body())
	if err != nil {
		t.Fatal(err)
	}
	return payload.(*outgoing)
}

// FuzzDataOfServices: a service may say of its data what it likes. It changes the format with its
// session in any case, and unless it is what it says, it stays what it is.
func FuzzDataOfServices(f *testing.F) {
	valid, err := proto.Marshal(&imv1.LeaveRoomResponse{Status: &imv1.ResponseStatus{Message: "ok"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("im.v1.LeaveRoomResponse", valid)
	f.Add("im.v1.LeaveRoomResponse", []byte("\xff"))
	f.Add("im.v1.MessageResponse", []byte{0x32, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}) // a time that is none
	f.Add("im.v1.Nonsense", []byte("{}"))
	f.Add("google.protobuf.Any", []byte("x"))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		o := &outgoing{body: &gatewayv1.BusinessResponse{Code: 200, Data: data}, headers: map[string]string{headerDataType: kind}}
		enc, err := frame.New(o).In(Proto)
		if err != nil {
			return // a header that is no text
		}
		there, err := Proto.Recode(enc, JSON)
		if err != nil {
			t.Fatalf("%q %x: %v", kind, data, err)
		}
		back, err := JSON.Recode(there, Proto)
		if err != nil {
			t.Fatalf("%q %x, back: %v", kind, data, err)
		}
		got := decoded(t, Proto, back)
		if got.data == nil && !bytes.Equal(got.body.(*gatewayv1.BusinessResponse).GetData(), data) {
			t.Errorf("%q %x has become %x", kind, data, got.body.(*gatewayv1.BusinessResponse).GetData())
		}
	})
}
