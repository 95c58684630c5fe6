package client

import (
	"context"
	"iter"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// MyRooms returns the user's rooms in the order in which he joined them, with what is unread, his own
// membership and the last message of each. They are fetched in pages of o.Limit (0: 50, 200 at most) while they
// are ranged over. An error ends it; ranging again begins again. A last message that Config.Validate refuses is
// left out.
func (c *Client) MyRooms(ctx context.Context, o PageOptions) iter.Seq2[*imv1.MyRoom, error] {
	return pages(ctx, o, func(o PageOptions) (*imv1.ListMyRoomsResponse, error) { return c.ListMyRooms(ctx, o) },
		(*imv1.ListMyRoomsResponse).GetRooms)
}

// ListMyRooms returns one page of what MyRooms walks through. The first one has the user's invitations too.
func (c *Client) ListMyRooms(ctx context.Context, o PageOptions) (*imv1.ListMyRoomsResponse, error) {
	page, err := askRooms(ctx, c, "", imv1.RoomServiceClient.ListMyRooms, &imv1.ListMyRoomsRequest{
		UserId: c.cfg.UserID, Limit: clamp32(o.Limit), PageToken: o.PageToken,
	})
	for _, room := range page.GetRooms() {
		if last := room.GetLastMessage(); last != nil && !c.accepts(last) {
			room.LastMessage = nil
		}
	}
	return page, err
}

// Members returns the members of a room in the order in which they joined, in pages of o.Limit (0: 100, 1,000
// at most) as MyRooms does.
func (c *Client) Members(ctx context.Context, roomID string, o PageOptions) iter.Seq2[*imv1.RoomUser, error] {
	return pages(ctx, o, func(o PageOptions) (*imv1.ListMembersResponse, error) { return c.ListMembers(ctx, roomID, o) },
		(*imv1.ListMembersResponse).GetMembers)
}

// ListMembers returns one page of what Members walks through.
func (c *Client) ListMembers(ctx context.Context, roomID string, o PageOptions) (*imv1.ListMembersResponse, error) {
	return askRooms(ctx, c, roomID, imv1.RoomServiceClient.ListMembers, &imv1.ListMembersRequest{
		UserId: c.cfg.UserID, RoomId: roomID, Limit: clamp32(o.Limit), PageToken: o.PageToken,
	})
}

// Bans returns who is kept out of a room, in pages as Members does.
func (c *Client) Bans(ctx context.Context, roomID string, o PageOptions) iter.Seq2[*imv1.Ban, error] {
	return pages(ctx, o, func(o PageOptions) (*imv1.ListBansResponse, error) { return c.ListBans(ctx, roomID, o) },
		(*imv1.ListBansResponse).GetBans)
}

// ListBans returns one page of what Bans walks through.
func (c *Client) ListBans(ctx context.Context, roomID string, o PageOptions) (*imv1.ListBansResponse, error) {
	return askRooms(ctx, c, roomID, imv1.RoomServiceClient.ListBans, &imv1.ListBansRequest{
		UserId: c.cfg.UserID, RoomId: roomID, Limit: clamp32(o.Limit), PageToken: o.PageToken,
	})
}

// Reactions returns who has reacted to a message, and how, in pages as Members does.
func (c *Client) Reactions(ctx context.Context, roomID string, seq int64, o PageOptions) iter.Seq2[*imv1.UserReaction, error] {
	return pages(ctx, o, func(o PageOptions) (*imv1.ListReactionsResponse, error) { return c.ListReactions(ctx, roomID, seq, o) },
		(*imv1.ListReactionsResponse).GetReactions)
}

// ListReactions returns one page of what Reactions walks through.
func (c *Client) ListReactions(ctx context.Context, roomID string, seq int64, o PageOptions) (*imv1.ListReactionsResponse, error) {
	return ask(ctx, c, roomID, imv1.IMServiceClient.ListReactions, &imv1.ListReactionsRequest{
		UserId: c.cfg.UserID, RoomId: roomID, Seq: seq, Limit: clamp32(o.Limit), PageToken: o.PageToken,
	})
}

// Readers returns how far the members of a room have read, and got, what was said: those who have read up to
// seq at least, all if that is 0, in pages as Members does.
func (c *Client) Readers(ctx context.Context, roomID string, seq int64, o PageOptions) iter.Seq2[*imv1.Watermark, error] {
	return pages(ctx, o, func(o PageOptions) (*imv1.ListReadersResponse, error) { return c.ListReaders(ctx, roomID, seq, o) },
		(*imv1.ListReadersResponse).GetMembers)
}

// ListReaders returns one page of what Readers walks through.
func (c *Client) ListReaders(ctx context.Context, roomID string, seq int64, o PageOptions) (*imv1.ListReadersResponse, error) {
	return ask(ctx, c, roomID, imv1.IMServiceClient.ListReaders, &imv1.ListReadersRequest{
		UserId: c.cfg.UserID, RoomId: roomID, Seq: seq, Limit: clamp32(o.Limit), PageToken: o.PageToken,
	})
}
