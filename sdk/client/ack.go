package client

import (
	"context"
	"strconv"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Acknowledgements are gathered: one is written for so many frames, or after so long.
const (
	ackEvery = 64
	ackDelay = 200 * time.Millisecond
)

// ackSoon has the handled frames acknowledged after ackDelay. Called for the first of them.
func (c *Client) ackSoon() {
	if cn := c.current(); cn != nil {
		cn.after(ackDelay, func() { c.flushAck(cn.ctx, cn) })
	}
}

// flushAck acknowledges the handled frames, if the server does not know of them and there is a
// connection. Without one the next connection begins with telling it.
func (c *Client) flushAck(ctx context.Context, cn *connection) {
	if cn == nil || cn.ctx.Err() != nil {
		return
	}
	link := c.session.takeAck()
	if link == 0 {
		return
	}
	c.stats.acks.Add(1)
	// An error ends the connection, and with it what it knew; see session.takeAck.
	_ = cn.write(ctx, &imv1.MessageRequest{
		UserId:   c.cfg.UserID,
		Type:     imv1.MessageType_MESSAGE_TYPE_ACK,
		Metadata: map[string]string{keyLinkSeq: strconv.FormatUint(link, 10)},
	})
}
