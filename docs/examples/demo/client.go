package main

import (
	"context"
	"fmt"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// client is a session of the gateway protocol over one WebSocket connection: a binary message is one
// ClientRequest or ServerPush. One that is to survive its connection begins again with the last number
// that it has, see docs/protocol-gateway.md.
type client struct {
	conn    *websocket.Conn
	session string
	msgID   uint32 // of the last request
	seq     uint64 // of the last business request
}

// connect begins a session. addr is the node's HTTP listener.
func connect(ctx context.Context, addr, openid string) (*client, error) {
	conn, resp, err := websocket.Dial(ctx, "ws://"+addr+"/ws", &websocket.DialOptions{Subprotocols: []string{"gateway.v1.proto"}})
	if err != nil {
		return nil, err
	}
	if resp.Body != nil {
		resp.Body.Close()
	}
	c := &client{conn: conn}
	if _, err := c.send(ctx, gatewayv1.RequestType_REQUEST_START, 0, &gatewayv1.StartRequest{Openid: openid}); err != nil {
		return nil, err
	}
	frame, err := c.next(ctx)
	if err != nil {
		return nil, err
	}
	started := &gatewayv1.StartResponse{}
	if err := proto.Unmarshal(frame.GetPayload(), started); err != nil {
		return nil, err
	}
	if !started.GetSuccess() {
		return nil, fmt.Errorf("the session was refused: %s", started.GetError().GetErrorMessage())
	}
	c.session = started.GetConnectionId()
	return c, nil
}

// ask sends a business request and returns its msg_id, which the answer has.
func (c *client) ask(ctx context.Context, r *gatewayv1.BusinessRequest) (uint32, error) {
	c.seq++ // the gateway refuses numbers that are not the next one
	return c.send(ctx, gatewayv1.RequestType_REQUEST_BUSINESS, c.seq, r)
}

// next returns the next frame, and acknowledges it.
func (c *client) next(ctx context.Context) (*gatewayv1.ServerPush, error) {
	_, data, err := c.conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	frame := &gatewayv1.ServerPush{}
	if err := proto.Unmarshal(data, frame); err != nil {
		return nil, err
	}
	return frame, c.write(ctx, 0, gatewayv1.RequestType_REQUEST_ACK, 0, &gatewayv1.ClientAck{AckedSeqId: frame.GetSeqId()})
}

// stop ends the session.
func (c *client) stop(ctx context.Context) error {
	if _, err := c.send(ctx, gatewayv1.RequestType_REQUEST_STOP, 0, &gatewayv1.StopRequest{Reason: gatewayv1.StopRequest_USER_LOGOUT}); err != nil {
		return err
	}
	return c.conn.CloseNow()
}

func (c *client) send(ctx context.Context, kind gatewayv1.RequestType, seq uint64, payload proto.Message) (uint32, error) {
	c.msgID++
	return c.msgID, c.write(ctx, c.msgID, kind, seq, payload)
}

func (c *client) write(ctx context.Context, msgID uint32, kind gatewayv1.RequestType, seq uint64, payload proto.Message) error {
	body, err := proto.Marshal(payload)
	if err != nil {
		return err
	}
	data, err := proto.Marshal(&gatewayv1.ClientRequest{MsgId: msgID, SeqId: seq, Type: kind, Payload: body})
	if err != nil {
		return err
	}
	return c.conn.Write(ctx, websocket.MessageBinary, data)
}
