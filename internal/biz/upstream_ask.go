package biz

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	// maxAttempts bounds how often one request is tried, the first time included.
	maxAttempts = 3
	// againAfter is the wait before an instance is asked that was asked already, because there is no
	// other; doubled each time. One that crashes and comes back needs a moment.
	againAfter = 100 * time.Millisecond
	// busyRetry is what clients of a service that has too much to do are advised to wait.
	busyRetry = time.Second
)

// Process implements Upstream.
func (s *Services) Process(ctx context.Context, r *UpstreamRequest) (*UpstreamResponse, error) {
	v := s.view.Load()
	r = r.forwarded()
	to, ok := v.destination(r, s.turns.Add(1))
	if !ok {
		return s.builtin.Process(ctx, r)
	}
	a := &asking{services: s, view: v, to: to, request: r}
	started := time.Now()
	resp, err := a.run(ctx)
	s.meter.Asked(to.service, outcomeOf(err), time.Since(started))
	return resp, err
}

func outcomeOf(err error) UpstreamOutcome {
	if err == nil {
		return UpstreamAnswered
	}
	e := AsError(err)
	switch {
	case e.Kind == KindCanceled:
		return UpstreamCanceled
	case e.Kind == KindResourceLimit:
		return UpstreamBusy
	case e.Reason == ReasonUpstreamTimeout:
		return UpstreamTimeout
	case e.Kind == KindUnavailable:
		return UpstreamUnavailable
	}
	return UpstreamFailed
}

// asking is one request on its way to a service. It belongs to one goroutine.
type asking struct {
	services *Services
	view     *view
	to       destination
	request  *UpstreamRequest
	asked    []*instance
}

// run asks one instance after another, as long as that can do no harm: another is asked when the request
// has not left the node, or when its action may be asked twice and nothing is known of the first time.
func (a *asking) run(ctx context.Context) (*UpstreamResponse, error) {
	var failure error
	for n := range maxAttempts {
		if n > 0 {
			if !a.breathe(ctx, n) {
				break
			}
			a.services.meter.Retried(a.to.service)
		}
		i, done, refusal := a.next()
		if i == nil {
			if failure == nil {
				failure = refusal
			}
			break
		}
		rules := a.view.rules.service(i.service)
		resp, err := a.call(ctx, i, rules, done)
		if err == nil {
			return resp, nil
		}
		failure = err
		again := errors.Is(err, ErrNotSent) || KindOf(err) == KindUnavailable && slices.Contains(rules.Idempotent, a.request.Action)
		if !again || ctx.Err() != nil {
			break
		}
	}
	return nil, failure
}

// breathe waits before an attempt that would ask the same instance again.
func (a *asking) breathe(ctx context.Context, attempt int) bool {
	if len(a.asked) < len(a.to.among) {
		return true
	}
	a.asked = nil
	return sleep(ctx, againAfter<<(attempt-1))
}

// next takes a place at the best instance that has one and is not given up. It has to be given back by
// done, with what became of the call.
func (a *asking) next() (i *instance, done func(error), refusal *Error) {
	full := false
	for {
		i := a.to.choice.best(a.to.among, a.asked)
		if i == nil {
			return nil, nil, a.refusal(full)
		}
		a.asked = append(a.asked, i)
		if !i.pool.enter(a.view.rules.service(i.service).MaxConcurrent) {
			full = true
			continue
		}
		settle, err := i.breaker.Allow()
		if err != nil { // given up, or being tried by somebody else
			i.pool.leave()
			continue
		}
		i.calls.Add(1)
		return i, func(err error) {
			i.calls.Add(-1)
			i.pool.leave()
			if err == nil {
				i.reached()
			}
			settle(err)
		}, nil
	}
}

func (a *asking) refusal(full bool) *Error {
	switch {
	case full:
		return Errorf(KindResourceLimit, ReasonUpstreamBusy, "the service is busy; send it again later").After(busyRetry)
	case len(a.to.among) == 0:
		return Errorf(KindUnavailable, ReasonUpstreamUnavailable, "no instance of the service %s is known; send it again later", quote(a.to.service)).After(busyRetry)
	}
	return Errorf(KindUnavailable, ReasonUpstreamUnavailable, "the service does not answer at the moment; send it again later").After(a.view.rules.Breaker.OpenFor)
}

// call asks one instance, and gives its place back whatever happens.
func (a *asking) call(ctx context.Context, i *instance, rules ServiceRules, done func(error)) (resp *UpstreamResponse, err error) {
	err = Errorf(KindInternal, ReasonUpstreamFailed, "the call has not ended") // should it panic
	defer func() { done(err) }()
	if rules.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, rules.Timeout)
		defer cancel()
	}
	return a.services.caller.Call(ctx, i.endpoint, a.request)
}
