package chat

import (
	"cmp"
	"context"
	"errors"
	"io/fs"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (c *Chat) send(ctx context.Context, text string) {
	if c.room == "" {
		c.nowhere()
		return
	}
	c.say(ctx, &imv1.MessageRequest{RoomId: c.room, Content: []byte(text), Mentions: c.mentioned(text)})
}

// say sends a text.
func (c *Chat) say(ctx context.Context, req *imv1.MessageRequest) {
	req.Type = imv1.MessageType_MESSAGE_TYPE_TEXT
	c.do(ctx, func(ctx context.Context) func() {
		result, err := c.client.Send(ctx, req)
		return func() { c.sent(req, result, err) }
	})
}

func (c *Chat) nowhere() {
	c.problem("you are in no room; /join ROOM enters one")
	c.unsent = true
}

func (c *Chat) sent(req *imv1.MessageRequest, result *client.SendResult, err error) {
	if err != nil {
		c.unsent = true
		c.problem("not sent: %s: %q", why(err), req.GetContent())
		return
	}
	msg := own(c.cfg.User, req, result)
	if req.GetToUserId() != "" {
		c.thread(msg.GetRoomId()).with = req.GetToUserId()
	}
	if !c.cfg.Echo && req.GetToUserId() == "" { // it is on the screen, and in its room
		c.keep(msg)
		return
	}
	c.receive(msg)
}

// own returns a message of one's own as the others see it.
func own(user string, req *imv1.MessageRequest, result *client.SendResult) *imv1.MessageResponse {
	return &imv1.MessageResponse{
		FromUserId: user,
		RoomId:     cmp.Or(result.RoomID, req.GetRoomId()),
		Type:       req.GetType(),
		Content:    req.GetContent(),
		Seq:        result.Seq,
		ReplyToSeq: req.GetReplyToSeq(),
		Mentions:   req.GetMentions(),
		Timestamp:  timestamppb.New(result.Time),
	}
}

// why returns the part of err that a person needs.
func why(err error) string {
	if refused, ok := errors.AsType[*client.RefusedError](err); ok {
		if refused.Reason == "" {
			return refused.Message
		}
		return refused.Message + " (" + refused.Reason + ")"
	}
	if closed, ok := errors.AsType[*client.DisconnectError](err); ok {
		return closed.Reason
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time, so it may or may not have arrived"
	}
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return file.Path + ": " + file.Err.Error()
	}
	with, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err)
	if !ok {
		return err.Error()
	}
	st := with.GRPCStatus()
	if reason := client.Reason(err); reason != "" {
		return st.Message() + " (" + reason + ")"
	}
	return st.Message() + " (" + st.Code().String() + ")"
}
