// Package pause says how long to wait before something that failed is tried again.
package pause

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	first   = 50 * time.Millisecond
	longest = 5 * time.Second
)

// After returns the pause before the try that follows as many failures: twice as long each time, 5 s at
// most, less up to half of it by chance, so that those who failed together do not return together.
func After(failures int) time.Duration {
	d := longest
	if failures < 10 {
		d = min(longest, first<<max(0, failures))
	}
	return d/2 + rand.N(d/2)
}

// Wait waits for that long, or until ctx ends.
func Wait(ctx context.Context, failures int) {
	timer := time.NewTimer(After(failures))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
