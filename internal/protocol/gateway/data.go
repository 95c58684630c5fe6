package gateway

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
)

// Headers on what has a message of im.v1 as its data.
const (
	headerDataType = "data_type" // the message's full name
	headerRoom     = "room_id"   // on a message of a room
	headerSeq      = "seq"
)

// msgTypeIM is the msg_type of a message of a room.
const msgTypeIM = "im.message"

// headersOf adds to headers what data is.
func headersOf(data proto.Message, headers map[string]string) map[string]string {
	if data == nil {
		return headers
	}
	all := map[string]string{headerDataType: string(data.ProtoReflect().Descriptor().FullName())}
	for k, v := range headers {
		all[k] = v
	}
	return all
}

// said shows a message of a room, or a notice of who has joined or left it.
func said(payload any) (*outgoing, error) {
	m, err := im.Response(payload)
	if err != nil {
		return nil, err
	}
	return &outgoing{
		body: &gatewayv1.BusinessResponse{Code: codeOK, Message: "[" + msgTypeIM + "] " + m.GetRoomId()},
		data: m,
		headers: headersOf(m, map[string]string{
			headerMsgType: msgTypeIM, headerRoom: m.GetRoomId(), headerSeq: strconv.FormatInt(m.GetSeq(), 10),
		}),
	}, nil
}

// sent is the answer to a send, at the message's place in the room.
func sent(a *protocol.Ack) *outgoing { return answered(a.MsgID, imcall.Sent(a.Room, a.Receipt), nil) }

// encodedBody returns the body with its data in it.
func (o *outgoing) encodedBody(marshal func(proto.Message) ([]byte, error)) (proto.Message, error) {
	resp, ok := o.body.(*gatewayv1.BusinessResponse)
	if !ok || o.data == nil {
		return o.body, nil
	}
	data, err := marshal(o.data)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.BusinessResponse{Code: resp.GetCode(), Message: resp.GetMessage(), Data: data}, nil
}

// takeData is the way back: data of ours is taken out of the body, to be written in another notation.
// What a service has sent under the same header and cannot be read stays what it is.
func (o *outgoing) takeData(unmarshal func([]byte, proto.Message) error) {
	resp, ok := o.body.(*gatewayv1.BusinessResponse)
	name := protoreflect.FullName(o.headers[headerDataType])
	if !ok || name.Parent() != imPackage {
		return
	}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		return
	}
	data := kind.New().Interface()
	if unmarshal(resp.GetData(), data) != nil {
		return
	}
	if _, err := protojson.Marshal(data); err == nil { // not all that can be read can be written, such as a time
		o.data, resp.Data = data, nil
	}
}

var imPackage = (&imv1.MessageResponse{}).ProtoReflect().Descriptor().ParentFile().Package()
