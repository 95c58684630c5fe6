package im

import (
	"errors"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// JSON is im.v1 in protobuf JSON. What an ACK holds is in JSON as well, so that a client needs no
// protobuf at all. A body is a message without its first brace: a number comes with it, or Bare.
var JSON = frame.NewFormat(frame.Encoders{
	Name: "im.v1/json",
	Body: func(dst []byte, payload any) ([]byte, error) {
		m, err := Response(payload)
		if err != nil {
			return nil, err
		}
		if m, err = InJSON(m); err != nil {
			return nil, err
		}
		text, err := protojson.Marshal(m)
		if err != nil {
			return nil, err
		}
		if len(text) == len("{}") {
			return nil, errors.New("im: a message without any field")
		}
		return append(dst, text[1:]...), nil
	},
	Number: func(dst []byte, link uint64) []byte {
		dst = append(dst, `{"linkSeq":"`...)
		return append(strconv.AppendUint(dst, link, 10), `",`...)
	},
	Bare: []byte{'{'},
	Decode: func(body []byte) (any, error) {
		m := &imv1.MessageResponse{}
		if err := protojson.Unmarshal(append([]byte{'{'}, body...), m); err != nil {
			return nil, err
		}
		return withContent(m, protojson.Unmarshal, proto.Marshal)
	},
})

// withContent returns a message whose content, if the protocol knows what that is, has changed its notation.
func withContent(m *imv1.MessageResponse, read func([]byte, proto.Message) error, write func(proto.Message) ([]byte, error)) (*imv1.MessageResponse, error) {
	var content proto.Message
	switch m.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_ACK:
		content = &imv1.AckContent{}
	case imv1.MessageType_MESSAGE_TYPE_EPHEMERAL:
		content = &imv1.EphemeralContent{}
	case imv1.MessageType_MESSAGE_TYPE_PRESENCE:
		content = &imv1.PresenceContent{}
	default:
		return m, nil
	}
	if err := read(m.GetContent(), content); err != nil {
		return nil, err
	}
	changed, err := write(content)
	if err != nil {
		return nil, err
	}
	return &imv1.MessageResponse{
		MessageId: m.GetMessageId(), FromUserId: m.GetFromUserId(), RoomId: m.GetRoomId(), Type: m.GetType(), Seq: m.GetSeq(),
		Timestamp: m.GetTimestamp(), Metadata: m.GetMetadata(), Content: changed,
	}, nil
}

// InJSON returns a message whose content is in JSON too, if the protocol knows what that is.
func InJSON(m *imv1.MessageResponse) (*imv1.MessageResponse, error) {
	return withContent(m, proto.Unmarshal, protojson.Marshal)
}

// request reads what a client has written in a format.
func request(format *frame.Format, data []byte) (*imv1.MessageRequest, error) {
	req := &imv1.MessageRequest{}
	var err error
	if format == JSON {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, req)
	} else {
		err = proto.Unmarshal(data, req)
	}
	if err != nil {
		return req, malformed(err)
	}
	return req, nil
}
