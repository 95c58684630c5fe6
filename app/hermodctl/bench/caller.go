package bench

import (
	"context"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// callLimit is how long the answer to one call may take.
const callLimit = 30 * time.Second

// caller makes calls, each when the one before has been answered. One goroutine drives it.
type caller struct {
	*lane
	index int
	times histogram
}

// drive makes calls until ctx ends, which does not cut off the last one.
func (c *caller) drive(ctx context.Context, s schedule, ready func() bool, call func(ctx context.Context, number uint64, due int64) error) {
	base := context.WithoutCancel(ctx)
	if token := c.load.plan.Token; token != "" {
		base = metadata.AppendToOutgoingContext(base, "authorization", "Bearer "+token)
	}
	// The lane's own error is that of send, which has none.
	_ = c.lane.drive(ctx, s, nil, ready, func(number uint64, due int64) error {
		ctx, cancel := context.WithTimeout(base, callLimit)
		defer cancel()
		refusal, text := "", ""
		if err := call(ctx, number, due); err != nil {
			refusal, text = "call failed "+status.Code(err).String(), status.Convert(err).Message()
		}
		c.answered(number, &c.times, refusal, text)
		return nil
	})
}
