package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// Progress is how far a broadcast is. The counts but Remaining grow only, and together they are Total.
type Progress struct {
	Sent      int // queued for connected sessions
	Queued    int // waiting in sessions that are away
	Slow      int // sessions whose queue was full
	Skipped   int // sessions that have not logged in, or had ended before their turn
	Expired   int // sessions whose turn came when the TTL was over
	Remaining int // sessions whose turn is still to come
	Total     int // sessions that there were when it began
	Unknown   int // sessions on nodes that are gone, or did not answer when it was their turn
	// SilentNodes is how many other nodes did not say which sessions they have: those are in no count.
	SilentNodes int
}

// PaceBroadcast pushes n to every session that there is now, perSecond of them in a second, and returns
// when all had their turn. Who connects later does not get it. report, unless it is nil, is told how far
// it is about once a second, by the calling goroutine.
//
// The broadcast ends with ctx; no timeout of the client's ends it. What it returns beside an error is the
// last that was heard. With an IdempotencyKey a broadcast that was cut short is not made again: the same
// call returns how far it got. Of the options it knows TTL and Header besides.
func (c *UnicastClient) PaceBroadcast(ctx context.Context, n Notification, perSecond int, report func(Progress), opts ...CallOption) (Progress, error) {
	o, err := collect(opts)
	if err == nil {
		err = o.onlyForTargets()
	}
	if err != nil {
		return Progress{}, err
	}
	if perSecond < 1 || perSecond > 1_000_000 {
		return Progress{}, fmt.Errorf("upstream: %d sessions a second is not possible; 1 to 1000000 is allowed", perSecond)
	}
	req := &gatewayv1.PaceBroadcastRequest{
		MsgType: n.MsgType, Title: n.Title, Content: n.Content, Data: n.Data, Metadata: n.Metadata,
		ClientsPerSecond: int32(perSecond),
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var last Progress
	err = c.unbounded(ctx, o, func(ctx context.Context, conn *grpc.ClientConn) error {
		stream, err := gatewayv1.NewGatewayServiceClient(conn).PaceBroadcast(ctx, req)
		if err != nil {
			return err
		}
		return follow(stream, &last, report)
	})
	if err != nil {
		return last, callError(err)
	}
	return last, nil
}

func follow(stream grpc.ServerStreamingClient[gatewayv1.BroadcastProgress], last *Progress, report func(Progress)) error {
	for {
		p, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		*last = Progress{
			Sent: int(p.GetSentCount()), Queued: int(p.GetQueuedCount()), Slow: int(p.GetSlowCount()),
			Skipped: int(p.GetSkippedCount()), Expired: int(p.GetExpiredCount()),
			Remaining: int(p.GetRemainingCount()), Total: int(p.GetTotalCount()),
			Unknown: int(p.GetUnknownCount()), SilentNodes: int(p.GetSilentNodes()),
		}
		if report != nil {
			report(*last)
		}
	}
}
