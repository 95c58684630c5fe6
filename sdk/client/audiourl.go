package client

import (
	"context"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// AudioURL returns an address from which a recording can be fetched without a token until the time that it
// has: valid, or what the node allows if that is 0. Members of its room may ask.
func (c *Client) AudioURL(ctx context.Context, audioID string, valid time.Duration) (*imv1.GetAudioURLResponse, error) {
	return ask(ctx, c, "", imv1.IMServiceClient.GetAudioURL, &imv1.GetAudioURLRequest{
		UserId: c.cfg.UserID, AudioId: audioID, ValidSeconds: seconds(valid),
	})
}
