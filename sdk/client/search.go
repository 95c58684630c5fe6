package client

import (
	"context"
	"iter"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// SearchQuery says what messages are looked for.
type SearchQuery struct {
	// Text is the words that a message has to have, all of them; "in quotes" one after another.
	Text string
	// RoomIDs and FromUserIDs are where and by whom it was said. Empty: in all rooms of the user, by anybody.
	RoomIDs, FromUserIDs []string
	// Since and Until are when it was said; zero: at any time.
	Since, Until time.Time
	// PageOptions: a page has 20 messages when Limit is 0, and 100 at most.
	PageOptions
}

// Search finds messages in the rooms of the user, the newest first, as Members goes through members.
// Messages that Config.Validate refuses are left out.
func (c *Client) Search(ctx context.Context, q SearchQuery) iter.Seq2[*imv1.MessageResponse, error] {
	return pages(ctx, q.PageOptions, func(o PageOptions) (*imv1.SearchResponse, error) {
		q.PageOptions = o
		return c.SearchPage(ctx, q)
	}, (*imv1.SearchResponse).GetMessages)
}

// SearchPage returns one page of what Search walks through, and whether messages may be missing in it that are
// too new to have been searched.
func (c *Client) SearchPage(ctx context.Context, q SearchQuery) (*imv1.SearchResponse, error) {
	page, err := ask(ctx, c, "", imv1.IMServiceClient.Search, &imv1.SearchRequest{
		UserId: c.cfg.UserID, Query: q.Text, RoomIds: q.RoomIDs, FromUserIds: q.FromUserIDs,
		Since: moment(q.Since), Until: moment(q.Until), Limit: clamp32(q.Limit), PageToken: q.PageToken,
	})
	if err != nil {
		return nil, err
	}
	page.Messages = c.accepted(page.GetMessages())
	return page, nil
}
