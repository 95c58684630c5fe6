package protocol

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
)

// Codec makes payloads of publications into what nodes send each other, and back. It implements
// cluster.Codec.
type Codec struct{}

var errPayload = errors.New("protocol: not a payload that this node knows")

// Append implements cluster.Codec.
func (Codec) Append(dst []byte, payload any) ([]byte, error) {
	var p wire.Payload
	switch v := payload.(type) {
	case *biz.Message:
		p.Kind = &wire.Payload_Message{Message: toWireMessage(v)}
	case Own:
		p.Kind = &wire.Payload_Own{Own: toWireMessage(v.Message)}
	case *Notice:
		p.Kind = &wire.Payload_Notice{Notice: &wire.Notice{
			Type: int32(v.Type), Id: v.ID, Room: string(v.Room), User: string(v.User), Metadata: v.Metadata, Time: nanoseconds(v.Time),
		}}
	case *biz.Ephemeral:
		p.Kind = &wire.Payload_Ephemeral{Ephemeral: &wire.Ephemeral{
			Room: string(v.Room), User: string(v.User), Kind: v.Kind, Data: v.Data, Time: nanoseconds(v.Time),
		}}
	default:
		return nil, fmt.Errorf("protocol: %T is not sent to other nodes", payload)
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, &p)
}

// Decode implements cluster.Codec.
func (Codec) Decode(b []byte) (any, error) {
	var p wire.Payload
	if err := proto.Unmarshal(b, &p); err != nil {
		return nil, err
	}
	switch v := p.GetKind().(type) {
	case *wire.Payload_Message:
		return fromWireMessage(v.Message), nil
	case *wire.Payload_Own:
		return Own{fromWireMessage(v.Own)}, nil
	case *wire.Payload_Notice:
		n := v.Notice
		return &Notice{
			Type: biz.MessageType(n.GetType()), ID: n.GetId(), Room: biz.RoomID(n.GetRoom()), User: biz.UserID(n.GetUser()),
			Metadata: n.GetMetadata(), Time: moment(n.GetTime()),
		}, nil
	case *wire.Payload_Ephemeral:
		e := v.Ephemeral
		return &biz.Ephemeral{
			Room: biz.RoomID(e.GetRoom()), User: biz.UserID(e.GetUser()), Kind: e.GetKind(), Data: e.GetData(), Time: moment(e.GetTime()),
		}, nil
	}
	return nil, errPayload
}

// Own implements cluster.Codec.
func (Codec) Own(payload any) (any, bool) {
	m, ok := payload.(*biz.Message)
	return Own{m}, ok
}

// nanoseconds is a time as nodes write it: 0 is none.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
