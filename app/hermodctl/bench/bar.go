package bench

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	barWidth  = 24
	lineEvery = 2 * time.Second
)

// Bar shows progress: on a terminal as a bar that is drawn anew, elsewhere as a line now and then.
// The zero value of its other fields is ready; it is for one goroutine.
type Bar struct {
	Out      io.Writer
	Terminal bool

	phase string
	drawn bool // something stands in the line
	last  Progress
	shown time.Duration // Elapsed of the last line
}

// Show draws where a run is.
func (b *Bar) Show(p Progress) {
	fresh := p.Phase != b.phase
	if !b.Terminal && !fresh && p.Elapsed-b.shown < lineEvery {
		return
	}
	line := b.line(p, fresh)
	if b.Terminal {
		fmt.Fprintf(b.Out, "\r\x1b[K%s", line)
		b.drawn = true
	} else {
		fmt.Fprintln(b.Out, line)
	}
	b.phase, b.last, b.shown = p.Phase, p, p.Elapsed
}

// Clear takes the bar away.
func (b *Bar) Clear() {
	if b.drawn {
		fmt.Fprint(b.Out, "\r\x1b[K")
		b.drawn = false
	}
}

func (b *Bar) line(p Progress, fresh bool) string {
	var s strings.Builder
	if b.Terminal {
		full := int(p.Share * barWidth)
		fmt.Fprintf(&s, "[%s%s] ", strings.Repeat("#", full), strings.Repeat("-", barWidth-full))
	}
	fmt.Fprintf(&s, "%3.0f%% %s", p.Share*100, p.Phase)
	if p.Phase == phaseConnecting {
		fmt.Fprintf(&s, ": %s", count(int64(p.Connected), "client"))
		return s.String()
	}
	since := p.Elapsed - b.last.Elapsed
	if rate, what := rate(b.last.Counts, p.Counts); !fresh && since > 0 && what != "" {
		fmt.Fprintf(&s, ", %s %s/s", Thousands(float64(rate)/since.Seconds()), what)
	}
	if p.Errors > 0 {
		fmt.Fprintf(&s, ", %s", count(p.Errors, "error"))
	}
	return s.String()
}

// rate is what was done since, deliveries if there are any.
func rate(from, to Counts) (n int64, what string) {
	switch {
	case to.Delivered > 0:
		return to.Delivered - from.Delivered, "deliveries"
	case to.Sent > 0:
		return to.Accepted - from.Accepted, "answers"
	}
	return 0, ""
}
