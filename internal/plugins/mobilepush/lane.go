package mobilepush

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// target is one device of one user.
type target struct {
	user   string
	device device
}

// answer is what became of a request to a provider.
type answer struct {
	outcome    outcome
	reason     string        // in the provider's words, or ours; never a token
	retryAfter time.Duration // of what may be tried again; 0: it does not say
	since      time.Time     // of a dead token: when the provider learned of it; zero: it does not say
}

// temporary tells whether the same request may do later.
func (a answer) temporary() bool { return a.outcome == throttled || a.outcome == unavailable }

// failed is the answer where there is none.
func failed(err error) answer { return answer{outcome: unavailable, reason: err.Error()} }

// provider sends notifications to devices of one platform. It is safe for concurrent use.
type provider interface {
	// send makes one request, or two when the first told that credentials had expired.
	send(ctx context.Context, to target, t *note, says words) answer
	close()
}

const (
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 8 * time.Second
)

// lane is the way to one provider: so many requests at once, each tried again while there is time, and none but a probe
// now and then while the provider is away.
type lane struct {
	platform string
	provider provider
	places   chan struct{}
	outage   outage
	metrics  *metrics
	log      *slog.Logger
	told     rate.Sometimes
}

func newLane(platform string, p provider, requests int, m *metrics, log *slog.Logger) *lane {
	return &lane{
		platform: platform, provider: p, places: make(chan struct{}, requests), metrics: m,
		log: log.With("provider", platform), told: rate.Sometimes{Interval: 10 * time.Second},
	}
}

// deliver sends until the provider has decided, or ctx leaves no time for another attempt.
func (l *lane) deliver(ctx context.Context, to target, t *note, says words) answer {
	for try := 0; ; try++ {
		a := l.once(ctx, to, t, says)
		if !a.temporary() || ctx.Err() != nil {
			return a
		}
		pause := cmp.Or(a.retryAfter, jittered(min(firstBackoff<<min(try, 10), lastBackoff)))
		if end, ok := ctx.Deadline(); ok && time.Until(end) <= pause {
			return a
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return a
		}
	}
}

// jittered takes away up to half.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

func (l *lane) once(ctx context.Context, to target, t *note, says words) answer {
	select {
	case l.places <- struct{}{}:
		defer func() { <-l.places }()
	case <-ctx.Done():
		return failed(ctx.Err())
	}
	began := time.Now()
	if !l.outage.allow(began) {
		return answer{outcome: leftAlone, reason: "the provider is away"}
	}
	a := l.provider.send(ctx, to, t, says)
	l.metrics.took(l.platform, time.Since(began))
	if !errors.Is(ctx.Err(), context.Canceled) { // a call that was given up says nothing of the provider
		l.outage.report(began, time.Now(), a.outcome == unavailable)
	}
	switch a.outcome {
	case sent, dead:
	default: // at most one line in a while: more are counted
		l.told.Do(func() { l.log.Warn("a notification was not sent", "outcome", a.outcome, "reason", a.reason) })
	}
	return a
}

const (
	// outagePatience is how long a provider has to fail at everything until it is away. A silence of that length says
	// nothing of it: what is sent then is not dropped for what failed before.
	outagePatience = 10 * time.Second
	// probeEvery is how often one that is away is tried.
	probeEvery = time.Second
)

// outage knows whether a provider is away, so that one does not hold up what goes by the other.
type outage struct {
	mu     sync.Mutex
	since  time.Time // when it failed first without having worked again; zero: it works
	failed time.Time // when it failed last
	probed time.Time
}

// quietLocked tells whether nothing is known of it from shortly before now.
func (o *outage) quietLocked(now time.Time) bool {
	return now.Sub(o.failed) >= outagePatience && now.Sub(o.probed) >= outagePatience
}

// allow tells whether to send a request now.
func (o *outage) allow(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() || now.Sub(o.since) < outagePatience || o.quietLocked(now) {
		return true
	}
	if now.Sub(o.probed) < probeEvery {
		return false
	}
	o.probed = now
	return true
}

// report notes how a request ended.
func (o *outage) report(began, now time.Time, away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !away {
		o.since = time.Time{}
		return
	}
	if o.since.IsZero() || o.quietLocked(began) {
		o.since = now
	}
	o.failed = now
}
