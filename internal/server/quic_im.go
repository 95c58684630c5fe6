package server

import (
	"time"

	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/quicstream"
)

// serveIM serves a session of im.v1. A QUIC connection has no headers: its first frame is a HEARTBEAT
// whose metadata has what they say on other transports, and the answer to it is the greeting.
func (q *QUIC) serveIM(c *quicstream.Conn) error {
	timeout := time.AfterFunc(q.streams.startTimeout(), func() { c.Close(transport.NotStarted) })
	data, err := c.Read()
	timeout.Stop()
	if err != nil {
		return err
	}
	header, err := im.ReadHello(im.Proto, data)
	if err != nil {
		return err
	}
	id, err := q.identify(q.ctx, header)
	if err != nil {
		return err
	}
	opening, err := im.ReadOpening(id, header)
	if err != nil {
		return err
	}
	opening.Format, opening.Greeting = im.Proto, true
	return q.streams.IM.Serve(q.ctx, c, opening, func(im.Welcome) error { return nil })
}
