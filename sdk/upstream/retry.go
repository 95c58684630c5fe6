package upstream

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The waits between attempts are random up to a limit that doubles from the first to the last.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 2 * time.Second
)

// retry makes a call once or, if it may be repeated, until something else happens than that the
// gateway is unavailable. When ctx ends first, the last attempt's error is the result.
func retry(ctx context.Context, repeatable bool, call func() error) error {
	for limit := firstBackoff; ; limit = min(2*limit, lastBackoff) {
		err := call()
		if !repeatable || status.Code(err) != codes.Unavailable {
			return err
		}
		if !pause(ctx, rand.N(limit)+1) {
			return err
		}
	}
}

// pause waits and is false when ctx ends first, or would.
func pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
