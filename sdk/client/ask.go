package client

import (
	"context"
	"iter"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc"
)

// answer is what every unary call returns.
type answer interface {
	GetStatus() *imv1.ResponseStatus
}

// method is a call of a service as its interface has it, such as imv1.IMServiceClient.Search.
type method[Stub, Request any, Answer answer] func(Stub, context.Context, Request, ...grpc.CallOption) (Answer, error)

// ask makes a call of IMService about a room, or about none. With an error there is no answer.
func ask[Request any, Answer answer](ctx context.Context, c *Client, room string, call method[imv1.IMServiceClient, Request, Answer], req Request) (Answer, error) {
	return askAt(ctx, c, room, func(ep *endpoint) (imv1.IMServiceClient, error) { return ep.stub, nil }, call, req)
}

// askRooms is ask for RoomService.
func askRooms[Request any, Answer answer](ctx context.Context, c *Client, room string, call method[imv1.RoomServiceClient, Request, Answer], req Request) (Answer, error) {
	return askAt(ctx, c, room, func(ep *endpoint) (imv1.RoomServiceClient, error) {
		if ep.rooms == nil {
			return nil, ErrNoRoomService
		}
		return ep.rooms, nil
	}, call, req)
}

func askAt[Stub, Request any, Answer answer](ctx context.Context, c *Client, room string, stub func(*endpoint) (Stub, error), call method[Stub, Request, Answer], req Request) (Answer, error) {
	var got, none Answer
	err := c.callAt(ctx, room, func(ctx context.Context, ep *endpoint) (*imv1.ResponseStatus, error) {
		s, err := stub(ep)
		if err == nil {
			got, err = call(s, ctx, req)
		}
		return got.GetStatus(), err
	})
	if err != nil {
		return none, err
	}
	return got, nil
}

// PageOptions say which page of a list is asked for. The zero value is the first one.
type PageOptions struct {
	// Limit is how many items a page has at most. 0: the server's choice.
	Limit int
	// PageToken is the NextPageToken of the page before; empty for the first one.
	PageToken string
}

// pages ranges over the items of all pages, beginning with the one that o names. An error ends it.
func pages[Page interface{ GetNextPageToken() string }, Item any](ctx context.Context, o PageOptions,
	fetch func(PageOptions) (Page, error), items func(Page) []Item,
) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		var none Item
		for next := o; ; {
			page, err := fetch(next)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items(page) {
				if err := context.Cause(ctx); err != nil {
					yield(none, err)
					return
				}
				if !yield(item, nil) {
					return
				}
			}
			if next.PageToken = page.GetNextPageToken(); next.PageToken == "" {
				return
			}
		}
	}
}
