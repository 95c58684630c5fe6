package client

import (
	"context"
	"fmt"
	"iter"
	"slices"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// HistoryOptions say which part of a room's log is asked for. The zero value is the newest page.
type HistoryOptions struct {
	// Forward: the first messages above After, or what the room begins with. Otherwise the last ones
	// below Before, or the newest ones.
	Forward bool
	// After is a seq. Other than 0 it implies Forward.
	After int64
	// Before is a seq. The server refuses it together with Forward.
	Before int64
	// Limit is how many messages a page has at most. 0: the server's choice, 50. Servers refuse more than
	// 500. A page of large messages may end sooner.
	Limit int
}

func (o HistoryOptions) forward() bool { return o.Forward || o.After != 0 }

// GapError is what Past tells where messages are missing between those that it has returned, or the After
// that it was given, and the next one: the server does not keep them any more.
type GapError struct {
	RoomID   string
	From, To int64 // the first and the last seq that is gone
}

func (e *GapError) Error() string {
	return fmt.Sprintf("client: messages %d to %d of room %s are gone", e.From, e.To, e.RoomID)
}

// History returns one page of a room's log, in the order of seq whichever way it was asked, with the room's
// head and floor. The user is a member of the room and sees what was said since he joined. It moves no
// cursor and acknowledges nothing; what OnMessage gets does not depend on it. Messages that Config.Validate
// refuses are left out.
//
// ErrUnsupported: the server is too old.
func (c *Client) History(ctx context.Context, roomID string, o HistoryOptions) (*imv1.HistoryResponse, error) {
	page, err := c.historyPage(ctx, roomID, o)
	if err != nil {
		return nil, err
	}
	page.Messages = c.accepted(page.GetMessages())
	return page, nil
}

// Past returns the messages of a room from where o says: forward up to the head that the room has when the
// walk gets there, or backward down to its floor, the newest one first. They are fetched in pages of
// o.Limit while they are ranged over.
//
// An error ends it, also that of ctx; it goes on behind the last message if that seq is given as After, or
// as Before. One kind does not end it unless the loop does: a *GapError stands in the place of what is gone.
// Ranging again begins again. All else is as for History.
func (c *Client) Past(ctx context.Context, roomID string, o HistoryOptions) iter.Seq2[*imv1.MessageResponse, error] {
	return func(yield func(*imv1.MessageResponse, error) bool) {
		for next := o; ; {
			page, err := c.historyPage(ctx, roomID, next)
			if err != nil {
				yield(nil, err)
				return
			}
			if gap := next.gap(roomID, page.GetFloorSeq()); gap != nil && !yield(nil, gap) {
				return
			}
			if !c.hand(ctx, page.GetMessages(), next.forward(), yield) || !page.GetMore() || !next.turn(page.GetMessages()) {
				return
			}
		}
	}
}

// hand yields the messages of a page, and tells whether the walk goes on.
func (c *Client) hand(ctx context.Context, page []*imv1.MessageResponse, forward bool, yield func(*imv1.MessageResponse, error) bool) bool {
	if !forward {
		page = slices.Clone(page)
		slices.Reverse(page)
	}
	for _, msg := range page {
		if err := context.Cause(ctx); err != nil {
			yield(nil, err)
			return false
		}
		if c.accepts(msg) && !yield(msg, nil) {
			return false
		}
	}
	return true
}

// gap returns what a page above After does not begin with because it lies below floor; nil if there is
// nothing. Who starts at the beginning misses nothing.
func (o HistoryOptions) gap(roomID string, floor int64) error {
	if o.After <= 0 || floor <= o.After {
		return nil
	}
	return &GapError{RoomID: roomID, From: o.After + 1, To: floor}
}

// turn goes on behind a page. False: there is nothing to go on from.
func (o *HistoryOptions) turn(page []*imv1.MessageResponse) bool {
	if len(page) == 0 {
		return false
	}
	if o.forward() {
		o.After = page[len(page)-1].GetSeq()
	} else {
		o.Before = page[0].GetSeq()
	}
	return true
}

func (c *Client) historyPage(ctx context.Context, roomID string, o HistoryOptions) (*imv1.HistoryResponse, error) {
	req := &imv1.HistoryRequest{UserId: c.cfg.UserID, RoomId: roomID, Limit: clamp32(o.Limit)}
	if o.forward() {
		req.AfterSeq = &o.After
	}
	if o.Before != 0 {
		req.BeforeSeq = &o.Before
	}
	var page *imv1.HistoryResponse
	err := c.call(ctx, roomID, func(ctx context.Context, stub imv1.IMServiceClient) (status *imv1.ResponseStatus, err error) {
		page, err = stub.History(ctx, req)
		return page.GetStatus(), err
	})
	return page, err
}

// clamp32 keeps a limit that no server takes what it is: one that no server takes.
func clamp32(limit int) int32 { return int32(min(max(limit, -1), 1<<30)) }
