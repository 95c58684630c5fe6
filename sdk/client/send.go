package client

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
)

// maxRequestBytes is the gRPC limit of a server that sets none. A larger message would not be
// refused but end the stream.
const maxRequestBytes = 4 << 20

// SendResult is what became of a message that the server accepted.
type SendResult struct {
	MessageID       string // the server's: what receivers see
	ClientMessageID string // the one it was sent with
	RoomID          string
	Seq             int64     // its place in the room; 0 in a room that is not persistent
	Time            time.Time // when the server accepted it
}

// Send sends req and waits for the server's answer: the message is stored, or refused, which is
// a *RefusedError. Without a deadline of its own ctx ends after Config.RequestTimeout. When the
// connection is lost meanwhile the message is sent again over the next one, under the same
// message_id, which the server stores only once. An error that is not a *RefusedError leaves
// open whether the message was stored.
//
// Empty fields of req are filled in: message_id with a UUIDv7, user_id, and room_id with
// Config.DefaultRoomID, unless to_user_id names whose direct room it goes to. req itself is not changed, and must not be until Send returns. ACK and
// HEARTBEAT messages have no answer: Send returns when they are written, with the ids it used.
// Sends made one after another arrive in that order; concurrent ones in any.
func (c *Client) Send(ctx context.Context, req *imv1.MessageRequest) (*SendResult, error) {
	req, err := c.prepare(req)
	if err != nil {
		return nil, err
	}
	ctx, done := c.bound(ctx)
	defer done()
	if !answered(req.GetType()) {
		return c.sendUnanswered(ctx, req)
	}
	c.pacer.note()
	out, err := c.post(ctx, req)
	if err != nil {
		return nil, err
	}
	return c.await(ctx, out)
}

// post has req sent, now or over the next connection. Its outcome is to be awaited.
func (c *Client) post(ctx context.Context, req *imv1.MessageRequest) (*outgoing, error) {
	out, err := c.sends.add(req)
	if err != nil {
		return nil, err
	}
	c.queue.poke() // a reader that waits for OnMessage must now look for the answer
	if !c.alive() {
		c.sends.remove(out)
		return nil, ErrNotConnected
	}
	c.transmit(ctx, out)
	return out, nil
}

// await returns the outcome, or gives up and forgets the send when ctx ends.
func (c *Client) await(ctx context.Context, out *outgoing) (*SendResult, error) {
	defer c.sends.remove(out)
	select {
	case <-out.done:
		return out.result, out.err
	case <-ctx.Done():
	}
	select {
	case <-out.done: // at the same time
		return out.result, out.err
	default:
		return nil, fmt.Errorf("client: send %s, no answer: %w", out.req.GetMessageId(), context.Cause(ctx))
	}
}

// SendMessage is Send within Config.RequestTimeout, for those who need no more than whether it
// succeeded: it returns when the server has stored the message or says why not.
func (c *Client) SendMessage(req *imv1.MessageRequest) error {
	_, err := c.Send(context.Background(), req)
	return err
}

// SendTextMessage sends text to a room as SendMessage does.
func (c *Client) SendTextMessage(roomID, content string) error {
	return c.SendTextMessageContext(context.Background(), roomID, content)
}

// SendTextMessageContext sends text to a room as Send does.
func (c *Client) SendTextMessageContext(ctx context.Context, roomID, content string) error {
	_, err := c.Send(ctx, &imv1.MessageRequest{
		RoomId:  roomID,
		Type:    imv1.MessageType_MESSAGE_TYPE_TEXT,
		Content: []byte(content),
	})
	return err
}

// prepare returns a filled-in copy of req, which shares nothing with it: what the caller has given up may be
// written yet. What cannot be encoded must not get as far as the stream: it would end it.
func (c *Client) prepare(req *imv1.MessageRequest) (*imv1.MessageRequest, error) {
	full := &imv1.MessageRequest{
		MessageId: req.GetMessageId(),
		UserId:    req.GetUserId(),
		RoomId:    req.GetRoomId(),
		Type:      req.GetType(),
		Content:   bytes.Clone(req.GetContent()),
		Metadata:  maps.Clone(req.GetMetadata()),
		Timestamp: req.GetTimestamp(),

		ToUserId:         req.GetToUserId(),
		ReplyToSeq:       req.GetReplyToSeq(),
		Mentions:         slices.Clone(req.GetMentions()),
		ExpiresInSeconds: req.GetExpiresInSeconds(),
	}
	setDefault(&full.UserId, c.cfg.UserID)
	if full.ToUserId == "" {
		setDefault(&full.RoomId, c.cfg.DefaultRoomID)
	}
	if full.MessageId == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("client: message_id: %w", err)
		}
		full.MessageId = id.String()
	}
	encoded, err := proto.Marshal(full)
	if err != nil {
		return nil, fmt.Errorf("client: message cannot be encoded: %w", err)
	}
	if len(encoded) > maxRequestBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are possible", ErrTooLarge, len(encoded), maxRequestBytes)
	}
	return full, nil
}

func answered(t imv1.MessageType) bool {
	return t != imv1.MessageType_MESSAGE_TYPE_ACK && t != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT
}

func (c *Client) sendUnanswered(ctx context.Context, req *imv1.MessageRequest) (*SendResult, error) {
	cn := c.current()
	if cn == nil {
		return nil, ErrNotConnected
	}
	if err := cn.write(ctx, req); err != nil {
		return nil, fmt.Errorf("client: send %s: %w", req.GetMessageId(), err)
	}
	return writtenResult(req), nil
}

// transmit writes out to the present connection. Without one, or when it breaks, repeatSends
// does so on the next.
func (c *Client) transmit(ctx context.Context, out *outgoing) {
	cn := c.current()
	if cn == nil || cn.takeTurn(ctx) != nil {
		return
	}
	_ = cn.inTurn(ctx, func() error { // what became of it is awaited
		c.writeOut(cn, out)
		return nil
	})
}

// repeatSends writes all waiting sends to cn, in order. The caller has the turn.
func (c *Client) repeatSends(cn *connection) {
	for _, out := range c.sends.all() {
		c.writeOut(cn, out)
	}
}

func (c *Client) writeOut(cn *connection, out *outgoing) {
	if !c.sends.claim(out, cn) {
		return
	}
	if err := cn.stream.Send(out.req); err != nil {
		return // the stream has ended; its reader says why
	}
	if cn.plain {
		c.sends.settle(out.req.GetMessageId(), writtenResult(out.req), nil)
		c.stats.settled(len(out.req.GetContent()), nil)
	}
}

// writtenResult is all that is known of a message that gets no answer.
func writtenResult(req *imv1.MessageRequest) *SendResult {
	return &SendResult{ClientMessageID: req.GetMessageId(), RoomID: req.GetRoomId()}
}

func resultOf(ack *imv1.MessageResponse, clientID string) *SendResult {
	return &SendResult{
		MessageID:       ack.GetMessageId(),
		ClientMessageID: clientID,
		RoomID:          ack.GetRoomId(),
		Seq:             ack.GetSeq(),
		Time:            ack.GetTimestamp().AsTime(),
	}
}
