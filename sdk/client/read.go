package client

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// MarkRead says that the user has read a room up to seq, on whichever device, and returns how the room then
// stands: what is read and how much is not. A mark never goes back: a smaller seq than was marked before
// changes nothing and is no error; a larger one than the room's head is refused.
//
// It has nothing to do with what was delivered. Servers that know of it tell the other members, see Readers and
// OnEphemeral. Repeating it is safe. ErrUnsupported: the server is too old.
func (c *Client) MarkRead(ctx context.Context, roomID string, seq int64) (*imv1.RoomState, error) {
	var resp *imv1.MarkReadResponse
	err := c.call(ctx, roomID, func(ctx context.Context, stub imv1.IMServiceClient) (status *imv1.ResponseStatus, err error) {
		resp, err = stub.MarkRead(ctx, &imv1.MarkReadRequest{UserId: c.cfg.UserID, RoomId: roomID, Seq: seq})
		return resp.GetStatus(), err
	})
	return resp.GetState(), err
}

// Unread returns how a room stands for the user: how many messages of others he has not read, counted up
// to 1,000, and where his mark, the room's head and its floor are. It changes nothing. For all rooms at
// once, Sync returns the same. ErrUnsupported: the server is too old.
func (c *Client) Unread(ctx context.Context, roomID string) (*imv1.RoomState, error) {
	return c.MarkRead(ctx, roomID, 0) // marks never go back
}
