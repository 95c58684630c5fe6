package servertest

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// imLanguage is im.v1.
type imLanguage struct{ json bool }

func (l imLanguage) opening(s seat, headers bool) (before map[string]string, first string) {
	if headers {
		return s.headers(), ""
	}
	return nil, l.write(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: s.headers()})
}

func (l imLanguage) request(kind, text string) string {
	switch kind {
	case "ask":
		return l.write(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Content: []byte(text)})
	case "ack":
		return l.write(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_ACK, Metadata: map[string]string{"link-seq": text}})
	}
	return "" // who has connected is in, and ends his session with his stream
}

func (l imLanguage) read(frame string) (event, error) {
	m := &imv1.MessageResponse{}
	if err := decode(l.json, frame, m); err != nil {
		return event{}, err
	}
	e := event{link: m.GetLinkSeq(), text: string(m.GetContent())}
	switch {
	case m.GetType() == imv1.MessageType_MESSAGE_TYPE_SYSTEM:
		e.kind = "push"
	case m.GetType() == imv1.MessageType_MESSAGE_TYPE_HEARTBEAT && m.GetMetadata()["session-id"] != "":
		e.kind, e.headers = "greeting", m.GetMetadata()
	case m.GetType() == imv1.MessageType_MESSAGE_TYPE_HEARTBEAT:
		e.kind = "answer"
	case m.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK && m.GetMetadata()["reason"] != "":
		e.kind, e.text = "refusal", m.GetMetadata()["reason"]
	default:
		return e, fmt.Errorf("a %v was not to be expected", m.GetType())
	}
	return e, nil
}

func (l imLanguage) write(m proto.Message) string { return encode(l.json, m) }

// encode writes what is written by tests alone, and can always be written.
func encode(json bool, m proto.Message) string {
	marshal := proto.Marshal
	if json {
		marshal = protojson.Marshal
	}
	data, err := marshal(m)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func decode(json bool, frame string, m proto.Message) error {
	if json {
		return protojson.Unmarshal([]byte(frame), m)
	}
	return proto.Unmarshal([]byte(frame), m)
}
