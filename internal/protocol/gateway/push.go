package gateway

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
)

// Headers that the node sets on what it sends.
const (
	headerMsgType = "msg_type" // on a push of a service
	headerTitle   = "title"
	headerContent = "content"
	headerKept    = "kept"          // true on a push that was kept in the inbox
	headerTicket  = "resume-ticket" // on a START_RESP
	headerResumed = "resumed"
	headerResync  = "resync"
	headerGID     = "gid" // on an answer to a login
	headerZone    = "zone"
)

// codeOK is the code of a BusinessResponse that brings what was asked for.
const codeOK = 200

// outgoing is the payload of a frame: a ServerPush before anything of it is encoded.
type outgoing struct {
	msgID   uint32 // of the request that it answers; 0: none
	body    proto.Message
	data    proto.Message // of a BusinessResponse, written as the frame is; nil: what body has
	headers map[string]string
}

// kind returns what a body is called in a ServerPush.
func (o *outgoing) kind() (gatewayv1.PushType, error) {
	switch o.body.(type) {
	case *gatewayv1.StartResponse:
		return gatewayv1.PushType_PUSH_START_RESP, nil
	case *gatewayv1.HeartbeatResponse:
		return gatewayv1.PushType_PUSH_HEARTBEAT_RESP, nil
	case *gatewayv1.BusinessResponse:
		return gatewayv1.PushType_PUSH_BUSINESS_DATA, nil
	case *gatewayv1.ErrorMessage:
		return gatewayv1.PushType_PUSH_ERROR, nil
	}
	return 0, fmt.Errorf("gateway: a ServerPush cannot carry a %T", o.body)
}

// emptyBody returns the message that a ServerPush of some type carries.
func emptyBody(t gatewayv1.PushType) (proto.Message, error) {
	switch t {
	case gatewayv1.PushType_PUSH_START_RESP:
		return &gatewayv1.StartResponse{}, nil
	case gatewayv1.PushType_PUSH_HEARTBEAT_RESP:
		return &gatewayv1.HeartbeatResponse{}, nil
	case gatewayv1.PushType_PUSH_BUSINESS_DATA:
		return &gatewayv1.BusinessResponse{}, nil
	case gatewayv1.PushType_PUSH_ERROR:
		return &gatewayv1.ErrorMessage{}, nil
	}
	return nil, fmt.Errorf("gateway: a ServerPush of type %v", t)
}

// outgoingOf turns a frame's payload into what the client reads.
func outgoingOf(payload any) (*outgoing, error) {
	switch p := payload.(type) {
	case *outgoing:
		return p, nil
	case *biz.Push:
		return pushed(p), nil
	case *biz.Message, protocol.Own, *protocol.Notice, *protocol.Expired, *protocol.Missed, *biz.Ephemeral, *protocol.News:
		return said(p)
	case *protocol.Ack:
		return sent(p), nil
	}
	return nil, fmt.Errorf("gateway: no encoding for a %T", payload)
}

// pushed shows a push of a service. The caller's metadata gives way to the node's.
func pushed(p *biz.Push) *outgoing {
	headers := make(map[string]string, len(p.Metadata)+4)
	for k, v := range p.Metadata {
		headers[k] = v
	}
	headers[headerMsgType], headers[headerTitle], headers[headerContent] = p.MsgType, p.Title, p.Content
	delete(headers, headerKept)
	if p.InboxSeq > 0 {
		headers[headerKept] = "true"
	}
	return &outgoing{
		body: &gatewayv1.BusinessResponse{
			Code: codeOK, Message: "[" + p.MsgType + "] " + p.Title, Data: p.Data,
		},
		headers: headers,
	}
}
