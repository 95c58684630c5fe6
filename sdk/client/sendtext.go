package client

import (
	"context"
	"slices"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// mentionAll stands for all members in MessageRequest.mentions.
const mentionAll = "*"

// SendOption says more about a message than what it says.
type SendOption func(*imv1.MessageRequest)

// ReplyTo makes the message an answer to the one at seq of the room.
func ReplyTo(seq int64) SendOption {
	return func(req *imv1.MessageRequest) { req.ReplyToSeq = seq }
}

// Mention names members whom the message mentions, 100 at most. It is counted for each what mentions him.
func Mention(userIDs ...string) SendOption {
	return func(req *imv1.MessageRequest) { req.Mentions = append(slices.Clone(req.Mentions), userIDs...) }
}

// MentionAll mentions all members of the room, for moderators and admins.
func MentionAll() SendOption { return Mention(mentionAll) }

// ExpireAfter has the content of the message gone after d, in whole seconds, rounded up; its place in the room
// stays.
func ExpireAfter(d time.Duration) SendOption {
	return func(req *imv1.MessageRequest) { req.ExpiresInSeconds = seconds(d) }
}

// seconds rounds up, so that nothing that was asked for becomes nothing.
func seconds(d time.Duration) int64 {
	whole := int64(d / time.Second)
	if d%time.Second > 0 {
		whole++
	}
	return whole
}

// SendText sends text to a room as Send does.
func (c *Client) SendText(ctx context.Context, roomID, content string, options ...SendOption) (*SendResult, error) {
	return c.sendText(ctx, &imv1.MessageRequest{RoomId: roomID}, content, options)
}

// SendTextTo sends text to the direct room of the user and another one, which is made with the first message.
// The result names the room; what is said there arrives as in any other.
func (c *Client) SendTextTo(ctx context.Context, userID, content string, options ...SendOption) (*SendResult, error) {
	return c.sendText(ctx, &imv1.MessageRequest{ToUserId: userID}, content, options)
}

func (c *Client) sendText(ctx context.Context, req *imv1.MessageRequest, content string, options []SendOption) (*SendResult, error) {
	req.Type, req.Content = imv1.MessageType_MESSAGE_TYPE_TEXT, []byte(content)
	for _, option := range options {
		option(req)
	}
	return c.Send(ctx, req)
}
