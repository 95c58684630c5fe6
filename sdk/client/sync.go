package client

import (
	"context"
	"maps"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// SyncOptions say what one page of a Sync is to have. The zero value is the first page of everything.
type SyncOptions struct {
	// Cursors are the last seq that the program has of each room. A room that is not named starts at its
	// floor. They must be the same for all pages.
	Cursors map[string]int64
	// PageToken is the NextPageToken of the page before; empty for the first one.
	PageToken string
	// Limit is how many messages a page has at most. 0: the server's choice, 200. Servers refuse more than
	// 1,000.
	Limit int
}

// SyncPage returns one page of what the user has missed in all his rooms. The last ones have the snapshot:
// what all pages have of it together is all his rooms; the very last has no NextPageToken. Sync walks the
// pages; this is for programs that do it themselves.
// Messages that Config.Validate refuses are left out.
//
// ErrUnsupported: the server is too old.
func (c *Client) SyncPage(ctx context.Context, o SyncOptions) (*imv1.SyncResponse, error) {
	page, err := c.syncPage(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, room := range page.GetRooms() {
		room.Messages = c.accepted(room.GetMessages())
	}
	return page, nil
}

// Sync hands everything that was said in the user's rooms behind cursors to each, and returns how all his
// rooms stand then: heads, floors, what he has read and how much he has not.
//
// A room's messages come in order, in one RoomPage or several; one with Reset set does not connect to
// what the program has of the room, which begins anew with it. cursors, the last seq that the program has
// of each room, is kept up to date: when each has returned nil, they are behind what it was handed, and
// rooms that are not the user's any more are gone when Sync returns without an error. So the same map
// continues, whether that is the next Sync or the one that failed in the middle, here or in another
// process that has saved it; nothing comes twice that each was done with. nil starts at the floors and
// is for who wants no more than one Sync.
//
// It ends with the first error, each's own included, and is bounded as a call is for every page. It moves
// no cursor on the server and acknowledges nothing; messages that arrive meanwhile come to OnMessage as
// well, so a program that uses both goes by room and seq. Messages that Config.Validate refuses are left
// out. ErrUnsupported: the server is too old.
func (c *Client) Sync(ctx context.Context, cursors map[string]int64, each func(*imv1.RoomPage) error) ([]*imv1.RoomState, error) {
	o := SyncOptions{Cursors: maps.Clone(cursors)} // those that were asked with, for all pages
	if cursors == nil {
		cursors = map[string]int64{}
	}
	var snapshot []*imv1.RoomState
	for {
		page, err := c.syncPage(ctx, o)
		if err != nil {
			return nil, err
		}
		for _, room := range page.GetRooms() {
			seq, moved := reached(room)
			room.Messages = c.accepted(room.GetMessages())
			if err := each(room); err != nil {
				return nil, err
			}
			if moved {
				cursors[room.GetRoomId()] = seq
			}
		}
		snapshot = append(snapshot, page.GetSnapshot()...)
		if o.PageToken = page.GetNextPageToken(); o.PageToken == "" {
			keep(cursors, snapshot)
			return snapshot, nil
		}
	}
}

// reached returns the cursor behind a page. False: the page does not move it.
func reached(room *imv1.RoomPage) (seq int64, moved bool) {
	if n := len(room.GetMessages()); n > 0 {
		return room.GetMessages()[n-1].GetSeq(), true
	}
	return room.GetFloorSeq(), room.GetReset_()
}

// keep drops the cursors of rooms that are not in the snapshot.
func keep(cursors map[string]int64, snapshot []*imv1.RoomState) {
	his := make(map[string]bool, len(snapshot))
	for _, room := range snapshot {
		his[room.GetRoomId()] = true
	}
	maps.DeleteFunc(cursors, func(room string, _ int64) bool { return !his[room] })
}

func (c *Client) syncPage(ctx context.Context, o SyncOptions) (*imv1.SyncResponse, error) {
	req := &imv1.SyncRequest{UserId: c.cfg.UserID, Cursors: o.Cursors, Limit: clamp32(o.Limit), PageToken: o.PageToken}
	var page *imv1.SyncResponse
	err := c.call(ctx, "", func(ctx context.Context, stub imv1.IMServiceClient) (status *imv1.ResponseStatus, err error) {
		page, err = stub.Sync(ctx, req)
		return page.GetStatus(), err
	})
	return page, err
}
