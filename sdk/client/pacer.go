package client

import (
	"context"
	"strconv"
	"sync"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/metadata"
)

// pace is how fast a server lets one session send: a lasting rate, and how many at once. The zero
// value means that it did not say.
type pace struct {
	perSecond float64
	burst     int
}

func paceOf(header metadata.MD) pace {
	perSecond, err := strconv.ParseFloat(first(header, keySendsPerSecond), 64)
	burst, err2 := strconv.Atoi(first(header, keySendBurst))
	if err != nil || err2 != nil || !(perSecond > 0) || burst < 1 {
		return pace{}
	}
	return pace{perSecond, burst}
}

// Most sends of a batch without an answer. A server takes in 256 before it reads no further.
const (
	largestWindow  = 256
	unlimitedBurst = 64 // assumed of a server that does not say
)

// pacer keeps the sends of a client below the server's limit as long as there are batches. The
// zero value is ready; safe for concurrent use.
type pacer struct {
	mu    sync.Mutex
	limit *rate.Limiter // nil until the first batch
}

// begin prepares for a batch and returns how many of its sends may be without an answer.
//
// What is under way may reach the server all at once, and in addition to what is written then. So
// both together stay below the burst that the server allows; the other half is for sends that are
// not paced.
func (p *pacer) begin(allowed pace) (window int) {
	limit, burst := rate.Inf, unlimitedBurst*4
	if allowed.perSecond > 0 {
		limit, burst = rate.Limit(allowed.perSecond), allowed.burst
	}
	quarter := max(1, burst/4)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit == nil {
		p.limit = rate.NewLimiter(limit, quarter)
	} else if p.limit.Limit() != limit || p.limit.Burst() != quarter {
		p.limit.SetLimit(limit)
		p.limit.SetBurst(quarter)
	}
	return min(quarter, largestWindow)
}

// wait returns when the next message of a batch may be sent, or when ctx ends, with its cause.
func (p *pacer) wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	turn := p.limiter().Reserve()
	delay := turn.Delay()
	if delay == 0 {
		return nil
	}
	if err := pause(ctx, delay); err != nil {
		turn.Cancel()
		return err
	}
	return nil
}

// note counts a send that does not wait for its turn.
func (p *pacer) note() {
	limit := p.limiter()
	if limit != nil && limit.Tokens() > -float64(limit.Burst()) { // who sends far too fast is refused, and must not stop batches for long
		limit.Reserve()
	}
}

func (p *pacer) limiter() *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit
}
