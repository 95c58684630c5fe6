// Package im speaks the im.v1 protocol on sessions: what a client's messages ask for, and how
// frames look on its wire, in protobuf and in JSON.
package im

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// Metadata keys that the server sets on what it sends.
const (
	metaClientID = "client-message-id" // on one's own message from another session
	metaReason   = "reason"            // on an ACK that refuses
	metaMsgType  = "msg_type"          // on a push
	metaTitle    = "title"
	metaContent  = "content"
	metaKept     = "kept" // true on a push that was kept in the inbox

	metaEventType = "event_type"       // on what the node tells of a room
	eventExpired  = "messages_expired" // that messages are no longer kept
	metaFloor     = "floor_seq"        // the last of them
	eventMissed   = "messages_missed"  // that messages of a room that keeps none may be missing
)

// Field numbers of MessageResponse that are written outside its body.
const (
	fieldLinkSeq = 10
	fieldBatch   = 11
)

// Proto is im.v1 in protobuf.
var Proto = frame.NewFormat(frame.Encoders{
	Name: "im.v1/proto",
	Body: func(dst []byte, payload any) ([]byte, error) {
		m, err := Response(payload)
		if err != nil {
			return nil, err
		}
		return proto.MarshalOptions{}.MarshalAppend(dst, m)
	},
	Number: func(dst []byte, link uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(dst, fieldLinkSeq, protowire.VarintType), link)
	},
	Item: func(dst []byte, bodyLen int) []byte {
		return protowire.AppendVarint(protowire.AppendTag(dst, fieldBatch, protowire.BytesType), uint64(bodyLen))
	},
	Decode: func(body []byte) (any, error) {
		m := &imv1.MessageResponse{}
		return m, proto.Unmarshal(body, m)
	},
})

// Response turns a frame's payload into what the client reads.
func Response(payload any) (*imv1.MessageResponse, error) {
	switch p := payload.(type) {
	case *biz.Message:
		return imcall.Message(p), nil
	case protocol.Own:
		m := imcall.Message(p.Message)
		m.Metadata = with(m.Metadata, metaClientID, p.ClientID)
		return m, nil
	case *protocol.Ack:
		return ack(p)
	case *protocol.Notice:
		return &imv1.MessageResponse{
			MessageId: p.ID, FromUserId: string(p.User), RoomId: string(p.Room),
			Type: imv1.MessageType(p.Type), Metadata: p.Metadata, Timestamp: timestamppb.New(p.Time),
		}, nil
	case *protocol.Expired:
		return expired(p)
	case *protocol.Missed:
		content, err := EventContent(biz.Event{Type: eventMissed})
		return &imv1.MessageResponse{
			MessageId: p.ID, RoomId: string(p.Room), Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: content,
			Metadata: map[string]string{metaEventType: eventMissed}, Timestamp: timestamppb.New(p.Time),
		}, err
	case *biz.Ephemeral:
		return ephemeral(p)
	case *protocol.News:
		return news(p)
	case *protocol.Heartbeat:
		return &imv1.MessageResponse{
			Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Content: p.Content, Timestamp: timestamppb.New(p.Time),
		}, nil
	case *protocol.Greeting:
		return &imv1.MessageResponse{
			Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: p.Headers, Timestamp: timestamppb.New(p.Time),
		}, nil
	case *biz.Push:
		return push(p), nil
	case *imv1.MessageResponse: // of a frame that was decoded again
		return p, nil
	}
	return nil, fmt.Errorf("im: no encoding for a %T", payload)
}

func ack(a *protocol.Ack) (*imv1.MessageResponse, error) {
	content := &imv1.AckContent{OriginalMessageId: a.ClientID, Success: a.Err == nil}
	m := &imv1.MessageResponse{
		MessageId: a.Receipt.ID, RoomId: string(a.Room), Type: imv1.MessageType_MESSAGE_TYPE_ACK, Seq: a.Receipt.Seq,
	}
	if a.Err != nil {
		content.ErrorMessage = a.Err.Text
		m.Metadata = map[string]string{metaReason: a.Err.Reason}
		if a.Err.Retry > 0 {
			m.Metadata[protocol.HeaderRetry] = protocol.Milliseconds(a.Err.Retry)
		}
	}
	if !a.Receipt.Time.IsZero() {
		m.Timestamp = timestamppb.New(a.Receipt.Time)
	}
	var err error
	m.Content, err = proto.Marshal(content)
	return m, err
}

// expired is an event, as a room is told of others.
func expired(e *protocol.Expired) (*imv1.MessageResponse, error) {
	floor := strconv.FormatInt(e.Seq, 10)
	content, err := EventContent(biz.Event{Type: eventExpired, Data: map[string]string{metaFloor: floor}})
	return &imv1.MessageResponse{
		MessageId: e.ID, RoomId: string(e.Room), Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: content, Seq: e.Seq,
		Metadata: map[string]string{metaEventType: eventExpired, metaFloor: floor}, Timestamp: timestamppb.New(e.Time),
	}, err
}

// push shows a push as a SYSTEM message. The caller's metadata gives way to the node's.
func push(p *biz.Push) *imv1.MessageResponse {
	md := make(map[string]string, len(p.Metadata)+4)
	for k, v := range p.Metadata {
		md[k] = v
	}
	md[metaMsgType], md[metaTitle], md[metaContent] = p.MsgType, p.Title, p.Content
	delete(md, metaKept)
	if p.InboxSeq > 0 {
		md[metaKept] = "true"
	}
	return &imv1.MessageResponse{
		MessageId: p.ID, Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: p.Data,
		Metadata: md, Timestamp: timestamppb.New(p.Time),
	}
}

func with(md map[string]string, key, value string) map[string]string {
	out := make(map[string]string, len(md)+1)
	for k, v := range md {
		out[k] = v
	}
	out[key] = value
	return out
}
