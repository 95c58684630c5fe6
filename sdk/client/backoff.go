package client

import (
	"context"
	"math/rand/v2"
	"time"
)

const maxBackoff = time.Minute

// fullJitter returns a backoff that is uniform between nothing and unit, doubled with every
// attempt up to maxBackoff: clients that lost the same node come back spread over the interval.
func fullJitter(unit time.Duration) func(attempt int) time.Duration {
	return func(attempt int) time.Duration {
		limit := unit
		for i := 1; i < attempt && limit < maxBackoff; i++ {
			limit *= 2
		}
		return rand.N(min(limit, maxBackoff) + 1)
	}
}

// wait is how long an attempt waits that follows err: as long as Backoff says, or as the server has
// advised if that is longer, though never longer than maxBackoff for its sake.
func (c *Client) wait(attempt int, err error) time.Duration {
	return max(c.cfg.Backoff(attempt), min(RetryAfter(err), maxBackoff))
}

// pause waits, or returns the cause of ctx when that ends first.
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
