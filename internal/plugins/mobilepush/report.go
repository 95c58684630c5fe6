package mobilepush

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// grave is a token that a provider has declared dead.
type grave struct {
	User     string     `json:"user"`
	Platform string     `json:"platform"`
	Token    string     `json:"token"`
	Reason   string     `json:"reason"`
	Since    *time.Time `json:"since,omitempty"`
}

const (
	// maxGraves wait to be reported; what is beyond them is found dead again.
	maxGraves = 4096
	// gravesTogether are reported in one request.
	gravesTogether = 100
	// reportTries is how often a report is made, if the service does not take it.
	reportTries = 5
	// reportAnswer bounds the answer, which says nothing.
	reportAnswer = 64 << 10
	// reportsEnd is how long Stop waits for what was not reported.
	reportsEnd = 3 * time.Second
)

// reporter tells the service of dead tokens, in a goroutine of its own so that no notification waits for it.
type reporter struct {
	devices *directory
	metrics *metrics
	log     *slog.Logger
	waiting chan grave
	ending  chan struct{}   // closed when there will be nothing more
	ctx     context.Context //nolint:containedctx // of the goroutine, until the end
	cancel  context.CancelFunc
	done    chan int // receives how many were not reported at the end
}

func newReporter(d *directory, m *metrics, log *slog.Logger) *reporter {
	r := &reporter{
		devices: d, metrics: m, log: log,
		waiting: make(chan grave, maxGraves), ending: make(chan struct{}), done: make(chan int, 1),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	go r.run()
	return r
}

// add has a token reported later. It never waits.
func (r *reporter) add(g grave) {
	select {
	case r.waiting <- g:
	default:
		r.metrics.reports.WithLabelValues("dropped").Inc()
	}
}

// close reports what waits, while there is time, and returns how many were not. Nothing is to be added any more; what
// is, by a call that was given up, may be lost.
func (r *reporter) close(ctx context.Context) (left int) {
	ctx, cancel := context.WithTimeout(ctx, reportsEnd)
	defer cancel()
	close(r.ending)
	defer context.AfterFunc(ctx, r.cancel)()
	defer r.cancel()
	return <-r.done
}

func (r *reporter) run() {
	lost := 0
	defer func() { r.done <- lost + len(r.waiting) }()
	for r.ctx.Err() == nil {
		together := r.next()
		if len(together) == 0 {
			return
		}
		lost = r.report(together)
	}
}

// next waits for tokens, and returns none when there will be none.
func (r *reporter) next() (together []grave) {
	select {
	case g := <-r.waiting:
		together = append(together, g)
	case <-r.ending:
	}
	for len(together) < gravesTogether {
		select {
		case g := <-r.waiting:
			together = append(together, g)
		default:
			return together
		}
	}
	return together
}

// report tells the service, again and again if need be, and returns how many it was interrupted with.
func (r *reporter) report(together []grave) (left int) {
	for try := 1; ; try++ {
		_, err := r.devices.post(r.ctx, r.devices.dead, map[string]any{"dead": together}, reportAnswer)
		if err == nil {
			r.metrics.reports.WithLabelValues("reported").Add(float64(len(together)))
			return 0
		}
		if try == reportTries || r.ctx.Err() != nil {
			r.metrics.reports.WithLabelValues("failed").Add(float64(len(together)))
			r.log.Warn("dead tokens could not be reported", "tokens", len(together), "error", err)
			if r.ctx.Err() != nil {
				return len(together)
			}
			return 0
		}
		pause := jittered(min(firstBackoff<<(2*try), lastBackoff))
		if no, ok := errors.AsType[*refusal](err); ok && no.retryAfter > 0 {
			pause = min(no.retryAfter, time.Minute)
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
		}
	}
}
