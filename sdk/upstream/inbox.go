package upstream

import (
	"context"
	"time"

	"google.golang.org/grpc"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// InboxInfo is what a gateway keeps for a user at a moment: pushes with StoreOffline that he has not
// acknowledged and that have not expired.
type InboxInfo struct {
	OpenID string    `json:"openid"`
	Pushes int       `json:"pushes"`
	Bytes  int64     `json:"bytes"`           // of their types, titles, contents, data and metadata
	Oldest time.Time `json:"oldest,omitzero"` // when it was accepted; zero when nothing is kept
}

// Inbox returns what is kept for a user. It knows of all nodes with the same database.
func (c *UnicastClient) Inbox(ctx context.Context, openid string) (InboxInfo, error) {
	var info InboxInfo
	err := c.bounded(ctx, callOptions{}, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := gatewayv1.NewGatewayServiceClient(conn).GetInbox(ctx, &gatewayv1.GetInboxRequest{Openid: openid})
		info = InboxInfo{OpenID: resp.GetOpenid(), Pushes: int(resp.GetPushes()), Bytes: resp.GetBytes()}
		if resp.GetOldestAt() != nil {
			info.Oldest = resp.GetOldestAt().AsTime()
		}
		return err
	})
	if err != nil {
		return InboxInfo{}, callError(err)
	}
	return info, nil
}
