package remote

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"golang.org/x/time/rate"
)

const (
	// maxLine is how much of a line goes to the log, in bytes.
	maxLine = 4 << 10
	// What a process may write to the log: so many lines a second, and so many at once. More are counted.
	linesPerSecond, linesAtOnce = 50, 500
)

// output takes what a process writes, and has its lines in the node's log.
type output struct {
	log   *slog.Logger
	allow *rate.Limiter

	mu      sync.Mutex
	part    []byte // of a line whose end is still to come
	long    bool   // the rest of the line is passed over
	last    string
	dropped int
}

func newOutput(log *slog.Logger) *output {
	return &output{log: log, allow: rate.NewLimiter(linesPerSecond, linesAtOnce)}
}

// Write implements io.Writer. It keeps nothing of p, and never fails.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		o.addLocked(line)
		if whole {
			o.endLocked()
		}
		p = rest
	}
	return n, nil
}

func (o *output) addLocked(text []byte) {
	room := maxLine - len(o.part)
	o.part = append(o.part, text[:min(len(text), room)]...)
	o.long = o.long || len(text) > room
}

// endLocked is called at the end of a line.
func (o *output) endLocked() {
	line := strings.ToValidUTF8(strings.TrimRight(string(o.part), "\r"), "?")
	if o.long {
		line += "…"
	}
	o.part, o.long = o.part[:0], false
	if strings.TrimSpace(line) == "" {
		return
	}
	o.last = line
	if !o.allow.Allow() {
		o.dropped++
		return
	}
	if o.dropped > 0 {
		o.log.Warn("a plugin writes more than is logged", "dropped", o.dropped)
		o.dropped = 0
	}
	o.log.Info("a plugin writes", "line", line)
}

// finish takes what has no end as a line, and returns what the last line was, quoted.
func (o *output) finish() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLocked()
	if o.last == "" {
		return ""
	}
	return fmt.Sprintf("%q", o.last)
}
