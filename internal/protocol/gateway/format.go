// Package gateway speaks the gateway protocol on sessions: what a client's requests ask for, and how
// frames look on its wire, in protobuf and in JSON.
package gateway

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// fieldSeqID is the field of a ServerPush that is written outside its body.
const fieldSeqID = 2

// Proto is the gateway protocol in protobuf: a number and a body, put together, are a ServerPush.
var Proto = frame.NewFormat(frame.Encoders{
	Name: "gateway.v1/proto",
	Body: func(dst []byte, payload any) ([]byte, error) {
		push, err := serverPush(payload, proto.Marshal)
		if err != nil {
			return nil, err
		}
		return proto.MarshalOptions{}.MarshalAppend(dst, push)
	},
	Number: func(dst []byte, link uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(dst, fieldSeqID, protowire.VarintType), link)
	},
	Decode: func(body []byte) (any, error) {
		push := &gatewayv1.ServerPush{}
		if err := proto.Unmarshal(body, push); err != nil {
			return nil, err
		}
		return readServerPush(push, proto.Unmarshal)
	},
})

// JSON is the gateway protocol in protobuf JSON. What a payload holds is in JSON as well, so that a
// client needs no protobuf at all. A body alone is no JSON: the opening brace comes with its number, or without one.
var JSON = frame.NewFormat(frame.Encoders{
	Name: "gateway.v1/json",
	Body: func(dst []byte, payload any) ([]byte, error) {
		push, err := serverPush(payload, marshalJSON)
		if err != nil {
			return nil, err
		}
		text, err := protojson.Marshal(push)
		if err != nil {
			return nil, err
		}
		return append(dst, text[1:]...), nil // a ServerPush has a type, so that text is never {}
	},
	Number: func(dst []byte, link uint64) []byte {
		dst = append(dst, `{"seqId":"`...)
		return append(strconv.AppendUint(dst, link, 10), `",`...)
	},
	Bare: []byte{'{'}, // of what has no number, since nobody needs to have it
	Decode: func(body []byte) (any, error) {
		push := &gatewayv1.ServerPush{}
		if err := protojson.Unmarshal(append([]byte{'{'}, body...), push); err != nil {
			return nil, err
		}
		return readServerPush(push, protojson.Unmarshal)
	},
})

// marshalJSON writes a message in JSON, and what is in an ephemeral one, too.
func marshalJSON(m proto.Message) ([]byte, error) {
	said, ok := m.(*imv1.MessageResponse)
	if !ok || said.GetType() != imv1.MessageType_MESSAGE_TYPE_EPHEMERAL && said.GetType() != imv1.MessageType_MESSAGE_TYPE_PRESENCE {
		return protojson.Marshal(m)
	}
	readable, err := im.InJSON(said)
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(readable)
}

// serverPush encodes what a payload holds and wraps it.
func serverPush(from any, marshal func(proto.Message) ([]byte, error)) (*gatewayv1.ServerPush, error) {
	out, err := outgoingOf(from)
	if err != nil {
		return nil, err
	}
	kind, err := out.kind()
	if err != nil {
		return nil, err
	}
	body, err := out.encodedBody(marshal)
	if err != nil {
		return nil, err
	}
	payload, err := marshal(body)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.ServerPush{MsgId: out.msgID, Type: kind, Payload: payload, Headers: out.headers}, nil
}

// readServerPush is the way back, for a frame that moves to a connection of another format.
func readServerPush(push *gatewayv1.ServerPush, unmarshal func([]byte, proto.Message) error) (*outgoing, error) {
	body, err := emptyBody(push.GetType())
	if err != nil {
		return nil, err
	}
	if err := unmarshal(push.GetPayload(), body); err != nil {
		return nil, err
	}
	out := &outgoing{msgID: push.GetMsgId(), body: body, headers: push.GetHeaders()}
	out.takeData(unmarshal)
	return out, nil
}
