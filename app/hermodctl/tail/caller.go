package tail

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// Calls are those that a tail makes; imv1.IMServiceClient has them.
type Calls interface {
	History(ctx context.Context, req *imv1.HistoryRequest, opts ...grpc.CallOption) (*imv1.HistoryResponse, error)
	Sync(ctx context.Context, req *imv1.SyncRequest, opts ...grpc.CallOption) (*imv1.SyncResponse, error)
}

// Between attempts while the node is away: a random time up to the first, doubled each time.
const (
	firstRetry   = 250 * time.Millisecond
	longestRetry = 5 * time.Second
	mostAdvice   = time.Minute // what a node may ask for beyond that
)

// Caller calls the node, and again when it is away.
type Caller struct {
	Calls
	Token   string        // empty: none
	Timeout time.Duration // of one call
	// Outage is how long no answer is put up with; 0: for ever. Before the first answer it is none at all.
	Outage time.Duration
	// Note is told, once each, that the node is away and that it is back.
	Note func(format string, args ...any)

	answered time.Time // when the last answer came; zero: none yet
	away     bool
}

func (c *Caller) history(ctx context.Context, req *imv1.HistoryRequest) (*imv1.HistoryResponse, error) {
	return repeat(ctx, c, func(ctx context.Context) (*imv1.HistoryResponse, error) { return c.History(ctx, req) })
}

func (c *Caller) sync(ctx context.Context, req *imv1.SyncRequest) (*imv1.SyncResponse, error) {
	return repeat(ctx, c, func(ctx context.Context) (*imv1.SyncResponse, error) { return c.Sync(ctx, req) })
}

// repeat calls until there is an answer, or an error that will not pass.
func repeat[T any](ctx context.Context, c *Caller, call func(context.Context) (T, error)) (T, error) {
	if c.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.Token)
	}
	for wait := firstRetry; ; wait = min(2*wait, longestRetry) {
		resp, err := once(ctx, c.Timeout, call)
		if ctx.Err() != nil {
			return resp, context.Cause(ctx)
		}
		if err == nil {
			c.heard()
			return resp, nil
		}
		if c.gaveUp(err) {
			return resp, err
		}
		if err := pause(ctx, max(time.Duration(rand.Int64N(int64(wait))), min(client.RetryAfter(err), mostAdvice))); err != nil {
			return resp, err
		}
	}
}

func once[T any](ctx context.Context, timeout time.Duration, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return call(ctx)
}

func (c *Caller) heard() {
	if c.away {
		c.Note("the node answers again")
	}
	c.answered, c.away = time.Now(), false
}

// gaveUp tells whether err is the end.
func (c *Caller) gaveUp(err error) bool {
	if c.answered.IsZero() || !passing(err) || c.Outage > 0 && time.Since(c.answered) > c.Outage {
		return true
	}
	if !c.away {
		c.away = true
		c.Note("no answer; trying again until there is one: %s", status.Convert(err).Message())
	}
	return false
}

// passing tells whether the failure of a call may be over soon.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Canceled, codes.Unknown:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// pause waits, or returns why ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
