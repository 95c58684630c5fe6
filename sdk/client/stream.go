package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc/metadata"
)

// dial makes one attempt at a connection: an endpoint, a stream on it, and the server's word
// that the session exists. No lock is held meanwhile.
// With resume the session is to go on; else it is another one, beside that which may be in use.
func (c *Client) dial(ctx context.Context, resume bool) (*connection, error) {
	attempt, done := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer done()
	token, err := c.token(attempt)
	if err != nil {
		return nil, err
	}
	ep, err := c.source.endpoint(attempt)
	if err != nil {
		return nil, err
	}
	cn, err := c.openStream(attempt, ep, token, resume)
	if err != nil {
		ep.release(err)
		return nil, fmt.Errorf("client: connect to %s: %w", ep.name, err)
	}
	return cn, nil
}

// openStream opens the stream within attempt; the stream itself lives until connection.end.
func (c *Client) openStream(attempt context.Context, ep *endpoint, token string, resume bool) (*connection, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := context.AfterFunc(attempt, func() { cancel(context.Cause(attempt)) })
	md := metadata.AppendToOutgoingContext(ctx, c.streamMetadata(token, resume)...)
	stream, err := ep.stub.StreamMessages(md, ep.options...)
	if err != nil {
		cancel(err)
		return nil, err
	}
	header, err := c.greet(stream)
	if err == nil && !stop() {
		err = context.Cause(attempt)
	}
	if err != nil {
		err = streamError(ctx, stream.Trailer(), err)
		cancel(err)
		return nil, err
	}
	cn := &connection{ep: ep, stream: stream, ctx: ctx, cancel: cancel, header: header, turn: make(chan struct{}, 1)}
	cn.plain = first(header, keySessionID) == ""
	cn.beat = heartbeatInterval(c.cfg.HeartbeatInterval, first(header, keyHeartbeatSeconds))
	return cn, nil
}

// greet says who the client is if metadata could not, and waits for the answer.
func (c *Client) greet(stream imv1.IMService_StreamMessagesClient) (metadata.MD, error) {
	if !c.idsInMetadata() {
		if err := stream.Send(c.heartbeat()); err != nil {
			return nil, refusal(stream)
		}
	}
	header, err := stream.Header()
	if err != nil {
		return nil, err
	}
	if header == nil {
		return nil, refusal(stream)
	}
	return header, nil
}

// refusal returns why a stream ended that never began.
func refusal(stream imv1.IMService_StreamMessagesClient) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	return errors.New("client: a message before the headers")
}

// heartbeatInterval is the configured interval, or the server's if that is shorter.
func heartbeatInterval(configured time.Duration, header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds <= 0 {
		return configured
	}
	return min(configured, time.Duration(seconds)*time.Second)
}
