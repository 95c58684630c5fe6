package batch

import (
	"fmt"
	"io"
	"time"

	"github.com/game-im/hermod/sdk/upstream"
)

// Counts is what became of the targets. The outcomes add up to Targets.
type Counts struct {
	Targets  int                     `json:"targets"`
	Outcomes map[upstream.Status]int `json:"outcomes"`
}

// order is that of a summary.
var order = []upstream.Status{
	upstream.Delivered, upstream.Queued, upstream.Offline, upstream.NotFound, upstream.Slow, upstream.Expired, upstream.Rejected, upstream.Unknown,
}

// Reached is how many were delivered or queued.
func (c Counts) Reached() int { return c.Outcomes[upstream.Delivered] + c.Outcomes[upstream.Queued] }

// Print writes a summary for people.
func (c Counts) Print(out io.Writer, took time.Duration) {
	fmt.Fprintf(out, "%d targets in %v", c.Targets, took.Round(time.Millisecond))
	if s := took.Seconds(); s > 0 && c.Targets > 0 {
		fmt.Fprintf(out, " (%.0f a second)", float64(c.Targets)/s)
	}
	fmt.Fprintln(out)
	for _, status := range order {
		if n := c.Outcomes[status]; n > 0 {
			fmt.Fprintf(out, "  %-10s %d\n", status, n)
		}
	}
}
