package bench

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes the result for people to read.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	what := fmt.Sprintf("%s over %s (%s): %s", r.Mode, r.Transport, r.Protocol, count(int64(r.Connections), "connection"))
	if r.Rooms > 0 {
		what += ", " + count(int64(r.Rooms), "room")
	}
	if r.Mode != Idle {
		what += fmt.Sprintf(", %d bytes", r.Size)
	}
	fmt.Fprintf(&b, "%s, %.1f s measured\n", what, r.Seconds)
	if r.Interrupted {
		b.WriteString("interrupted: this is the result so far\n")
	}
	if r.Total.Expected > 0 || r.Total.Delivered > 0 {
		fmt.Fprintf(&b, "  deliveries  %s/s   %s\n", Thousands(r.DeliveredPerSecond), r.Delivery)
	}
	if r.Total.Sent > 0 {
		fmt.Fprintf(&b, "  %-10s  %s/s   %s\n", r.answers(), Thousands(r.AcceptedPerSecond), r.Answer)
	}
	r.writeServer(&b)
	r.writeTotal(&b)
	r.writeErrors(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// answers is what is answered in this mode.
func (r *Result) answers() string {
	switch r.Mode {
	case Push, Broadcast:
		return "calls"
	case Request:
		return "responses"
	default:
		return "messages"
	}
}

func (r *Result) writeServer(b *strings.Builder) {
	s := r.Server
	if s == nil {
		return
	}
	fmt.Fprintf(b, "  server      %.2f CPU-seconds", s.CPUSeconds)
	if r.Total.Delivered > 0 {
		fmt.Fprintf(b, ", %s deliveries in each", Thousands(s.DeliveredPerCPUSecond))
	} else if r.Total.Accepted > 0 {
		fmt.Fprintf(b, ", %s %s in each", Thousands(s.AcceptedPerCPUSecond), r.answers())
	}
	fmt.Fprintf(b, "; %.1f MiB resident", float64(s.RSSBytes)/(1<<20))
	if r.Mode == Idle {
		fmt.Fprintf(b, ", %.1f KiB more for each connection", s.RSSBytesPerConnection/(1<<10))
	}
	b.WriteString("\n")
}

func (r *Result) writeTotal(b *strings.Builder) {
	n := r.Total
	if n.Sent == 0 {
		return
	}
	fmt.Fprintf(b, "  in all      %s sent: %s accepted, %s refused, %s unanswered", whole(n.Sent), whole(n.Accepted), whole(n.Refused), whole(n.Unanswered))
	if n.Expected > 0 || n.Delivered > 0 {
		fmt.Fprintf(b, "; %s delivered of %s expected", whole(n.Delivered), whole(n.Expected))
	}
	b.WriteString("\n")
}

func (r *Result) writeErrors(b *strings.Builder) {
	if len(r.Errors) == 0 {
		b.WriteString("  errors      none\n")
		return
	}
	for _, e := range r.Errors {
		fmt.Fprintf(b, "  error       %s × %s", whole(e.Count), e.Kind)
		if e.First != "" {
			fmt.Fprintf(b, "; the first: %s", e.First)
		}
		b.WriteString("\n")
	}
}

// String is all of it in one line.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %s   p99 %s   p99.9 %s   max %s", millis(l.P50), millis(l.P99), millis(l.P999), millis(l.Max))
}

func millis(ms float64) string {
	switch {
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}

func whole(n int64) string { return Thousands(float64(n)) }

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return whole(n) + " " + noun + "s"
}

// Thousands writes a figure without its fraction, its digits in groups: 1,234,567.
func Thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
