package client

import (
	"context"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// epoch is where heartbeats are timed from: differences to it do not change with the wall clock.
var epoch = time.Now()

func (c *Client) heartbeat() *imv1.MessageRequest {
	return &imv1.MessageRequest{
		UserId:  c.cfg.UserID,
		RoomId:  c.cfg.DefaultRoomID,
		Type:    imv1.MessageType_MESSAGE_TYPE_HEARTBEAT,
		Content: []byte("ping"),
	}
}

// keepBeating sends a heartbeat after every interval for as long as the connection lives, and
// ends it when nothing has been read since the one before.
func (c *Client) keepBeating(cn *connection) {
	var lastRead uint64
	var beaten bool
	var beat func()
	beat = func() {
		read := cn.frames.Load()
		if beaten && read == lastRead && !cn.waiting.Load() {
			cn.fail(errSilent)
			return
		}
		lastRead, beaten = read, c.sendBeat(cn)
		cn.after(cn.beat, beat)
		c.consider() // an instance that had failed is taken again without a change of the list
	}
	cn.after(cn.beat, beat)
}

// sendBeat tells whether an answer is to be expected. A writer that is stuck for a whole
// interval means that nothing flows any more, just as silence does.
func (c *Client) sendBeat(cn *connection) bool {
	req := c.heartbeat()
	if token := c.freshToken(cn); token != "" {
		req.Metadata = map[string]string{keyAuthorization: bearer(token)}
	}
	ctx, done := context.WithTimeout(cn.ctx, cn.beat)
	defer done()
	cn.beatSent.Store(int64(time.Since(epoch)))
	if err := cn.write(ctx, req); err != nil && ctx.Err() != nil {
		cn.fail(errSilent)
	}
	return true
}

// freshToken is what the source of tokens says now; empty when there is none, or it fails or takes too long: the heartbeat is not
// to be missed for that.
func (c *Client) freshToken(cn *connection) string {
	if c.cfg.TokenSource == nil {
		return ""
	}
	ctx, done := context.WithTimeout(cn.ctx, cn.beat/2)
	defer done()
	token, err := c.token(ctx)
	if err != nil {
		if cn.ctx.Err() == nil { // otherwise the connection has ended, and that is told
			c.reportError(err)
		}
		return ""
	}
	return token
}
