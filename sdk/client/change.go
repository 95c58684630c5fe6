package client

import (
	"context"
	"fmt"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/google/uuid"
)

// Edit is what a message is to say from now on.
type Edit struct {
	Content []byte
	// Metadata and Mentions take the place of the old ones, also when they are empty.
	Metadata map[string]string
	Mentions []string
	// IfVersion, when not 0, has the edit refused unless the message is as of this version of its state.
	IfVersion int64
	// MessageID makes a repetition within 24 h the same edit. Empty: one is chosen.
	MessageID string
}

// EditMessage gives a message of the user's own another content. The answer has the place of the event that
// the room is told of it, and what has become of the message: of two edits of one message the later one holds.
func (c *Client) EditMessage(ctx context.Context, roomID string, seq int64, e Edit) (*imv1.EditMessageResponse, error) {
	if e.MessageID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("client: message_id: %w", err)
		}
		e.MessageID = id.String()
	}
	return ask(ctx, c, roomID, imv1.IMServiceClient.EditMessage, &imv1.EditMessageRequest{
		UserId: c.cfg.UserID, RoomId: roomID, Seq: seq, Content: e.Content, Metadata: e.Metadata, Mentions: e.Mentions,
		MessageId: e.MessageID, IfVersion: e.IfVersion,
	})
}

// RecallMessage takes a message back: what it said is gone, its place in the room stays. To recall again
// changes nothing and is no error. The reason is for people and may be empty.
func (c *Client) RecallMessage(ctx context.Context, roomID string, seq int64, reason string) (*imv1.RecallMessageResponse, error) {
	return ask(ctx, c, roomID, imv1.IMServiceClient.RecallMessage, &imv1.RecallMessageRequest{
		UserId: c.cfg.UserID, RoomId: roomID, Seq: seq, Reason: reason,
	})
}

// React adds a reaction of the user to a message: an emoji or a short name, 64 bytes at most. One that is
// there already changes nothing and is no error; the answer's Seq is 0 then.
func (c *Client) React(ctx context.Context, roomID string, seq int64, reaction string) (*imv1.ReactResponse, error) {
	return c.react(ctx, roomID, seq, reaction, false)
}

// Unreact takes a reaction of the user away. One that is not there changes nothing and is no error.
func (c *Client) Unreact(ctx context.Context, roomID string, seq int64, reaction string) (*imv1.ReactResponse, error) {
	return c.react(ctx, roomID, seq, reaction, true)
}

func (c *Client) react(ctx context.Context, roomID string, seq int64, reaction string, remove bool) (*imv1.ReactResponse, error) {
	return ask(ctx, c, roomID, imv1.IMServiceClient.React, &imv1.ReactRequest{
		UserId: c.cfg.UserID, RoomId: roomID, Seq: seq, Reaction: reaction, Remove: remove,
	})
}
