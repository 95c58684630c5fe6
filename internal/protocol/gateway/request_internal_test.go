package gateway

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// FuzzClientRequest reads whatever may come in both formats. A START that is read gives back what a
// program of either numbering has put into it.
func FuzzClientRequest(f *testing.F) {
	add := func(m *gatewayv1.StartRequest, extra []byte) {
		start, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		req := &gatewayv1.ClientRequest{MsgId: 1, Type: gatewayv1.RequestType_REQUEST_START, Payload: append(start, extra...)}
		data, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		if data, err = protojson.Marshal(req); err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	add(&gatewayv1.StartRequest{Openid: "10001", AuthToken: "default-token", LastAckedSeqId: 7}, nil)
	add(&gatewayv1.StartRequest{Openid: "10001", ClientId: "token"}, protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 7))
	f.Add([]byte(`{"type":"REQUEST_START","payload":"eyJvcGVuaWQiOiI3In0="}`))
	f.Add([]byte{0x22, 0x02, 0x18, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range []codec{{json: false}, {json: true}} {
			req, wrong := c.request(data)
			if wrong != nil {
				continue
			}
			start, wrong := c.start(req)
			if wrong != nil {
				continue
			}
			last, old := oldLastAcked(start.ProtoReflect().GetUnknown())
			if start.GetLastAckedSeqId() < last || old && start.GetClientId() != "" {
				t.Errorf("%x: %v, and the older numbering says %d", data, start, last)
			}
			for _, into := range []proto.Message{&gatewayv1.ClientAck{}, &gatewayv1.HeartbeatRequest{}, &gatewayv1.BusinessRequest{}, &gatewayv1.StopRequest{}} {
				if wrong := c.payload(req, into); wrong != nil && wrong.Reason != "MALFORMED" {
					t.Errorf("%x as %T: %v", data, into, wrong)
				}
			}
		}
	})
}

func TestBothNumberings(t *testing.T) {
	t.Parallel()
	varint := func(n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
	}
	long := strings.Repeat("x", biz.MaxIDBytes+1)
	for name, c := range map[string]struct {
		sent  *gatewayv1.StartRequest
		extra []byte
		want  *gatewayv1.StartRequest
	}{
		"present": {
			&gatewayv1.StartRequest{Openid: "7", ClientId: "c", AuthToken: "t", LastAckedSeqId: 5}, nil,
			&gatewayv1.StartRequest{Openid: "7", ClientId: "c", AuthToken: "t", LastAckedSeqId: 5},
		},
		"older": {&gatewayv1.StartRequest{Openid: "7", ClientId: "t"}, varint(3, 5), &gatewayv1.StartRequest{Openid: "7", AuthToken: "t", LastAckedSeqId: 5}},
		"a later field": {
			&gatewayv1.StartRequest{Openid: "7", ClientId: "c", AuthToken: "t"}, varint(99, 5),
			&gatewayv1.StartRequest{Openid: "7", ClientId: "c", AuthToken: "t"},
		},
		"either":          {&gatewayv1.StartRequest{Openid: "7", ClientId: "x"}, nil, &gatewayv1.StartRequest{Openid: "7", ClientId: "x", AuthToken: "x"}},
		"no id, so older": {&gatewayv1.StartRequest{Openid: "7", ClientId: long}, nil, &gatewayv1.StartRequest{Openid: "7", AuthToken: long}},
		"a device, so present": {
			&gatewayv1.StartRequest{Openid: "7", ClientId: "c", DeviceClass: "phone"}, nil,
			&gatewayv1.StartRequest{Openid: "7", ClientId: "c", DeviceClass: "phone"},
		},
	} {
		payload, err := proto.Marshal(c.sent)
		if err != nil {
			t.Fatal(err)
		}
		got, wrong := codec{}.start(&gatewayv1.ClientRequest{Payload: append(payload, c.extra...)})
		if wrong != nil {
			t.Fatalf("%s: %v", name, wrong)
		}
		got.ProtoReflect().SetUnknown(nil)
		if !proto.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// FuzzDecode reads the bodies of frames, as a session does whose client comes back in another format: what
// can be read can be written in both.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`"msgId":1,"type":"PUSH_START_RESP","payload":"e30="}`))
	f.Add([]byte(`"type":"PUSH_ERROR","payload":"eyJlcnJvckNvZGUiOjUwM30=","headers":{"retry-after-ms":"5"}}`))
	f.Add([]byte{0x08, 0x01, 0x18, 0x03, 0x22, 0x03, 0x08, 0xc8, 0x01})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, from := range []*frame.Format{Proto, JSON} {
			payload, err := from.Decode(body)
			if err != nil {
				continue
			}
			for _, to := range []*frame.Format{Proto, JSON} {
				enc, err := frame.New(payload).In(to)
				if err != nil {
					t.Fatalf("%q of %s cannot be written in %s: %v", body, from.Name, to.Name, err)
				}
				if _, err := to.Decode(enc.Body()); err != nil {
					t.Fatalf("%q of %s becomes %q of %s, and that is %v", body, from.Name, enc.Body(), to.Name, err)
				}
			}
		}
	})
}
