package plugins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/game-im/hermod/plugin"
)

// Why a call failed that the plugin itself did not fail.
var (
	errLate      = errors.New("it is not back in time")
	errBusy      = errors.New("as many calls as may run at once do not come back")
	errLeftAlone = errors.New("it is left alone for a while, since it failed too often")
)

// panicked is what a plugin panicked with.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprint("panic: ", p.value) }

// bounds are within what a plugin is called.
type bounds struct {
	deadline    time.Duration // of one call
	concurrency int           // calls at once
	failures    int           // in a row, until it is left alone
	retryAfter  time.Duration // for how long that is
	open        bool          // what it fails at goes on without it
	queue       int           // events that may wait for it
}

// guard stands between the node and one plugin.
type guard struct {
	name    string
	bounds  bounds
	places  chan struct{}
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	meters  *meters
	log     *slog.Logger
	lastLog atomic.Int64 // when a failure was logged, in nanoseconds of the clock
}

func newGuard(name string, b bounds, m *Metrics, log *slog.Logger) *guard {
	g := &guard{name: name, bounds: b, places: make(chan struct{}, b.concurrency), log: log.With("plugin", name)}
	g.meters = m.of(name)
	g.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 1, Timeout: b.retryAfter,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return int64(c.ConsecutiveFailures) >= int64(b.failures) },
		IsSuccessful:  func(err error) bool { return err == nil },
		OnStateChange: func(_ string, from, to gobreaker.State) { g.turned(from, to) },
	})
	return g
}

func (g *guard) turned(from, to gobreaker.State) {
	switch {
	case to == gobreaker.StateClosed:
		g.meters.open.Set(0)
		g.log.Info("a plugin works again")
	case from == gobreaker.StateClosed:
		g.meters.open.Set(1)
		g.log.Error("a plugin failed too often in a row and is left alone", "failures", g.bounds.failures, "for", g.bounds.retryAfter)
	}
}

// do calls fn, which is a call of the plugin that was asked for at the moment since, from where its
// deadline counts. mine is false when fn did not come back in time: then late is called with the error,
// in another goroutine, and whatever goes on goes on there. What fn has written then belongs to it.
func (g *guard) do(h *hook, since time.Time, fn func(context.Context) error, late func(error)) (mine bool, err error) {
	if g.breaker.State() == gobreaker.StateOpen {
		h.count(errLeftAlone, 0)
		return true, errLeftAlone
	}
	end := since.Add(g.bounds.deadline)
	if !g.enter(end) {
		return true, g.full(h)
	}
	report, err := g.breaker.Allow()
	if err != nil { // somebody else tries whether it works again
		g.leave()
		h.count(errLeftAlone, 0)
		return true, errLeftAlone
	}
	c := &call{guard: g, hook: h, report: report, late: late, began: time.Now()}
	c.ctx.at = end
	return c.run(fn)
}

// enter takes a place, and waits for one until the deadline.
func (g *guard) enter(end time.Time) bool {
	select {
	case g.places <- struct{}{}:
		g.meters.running.Inc()
		return true
	default:
	}
	t := time.NewTimer(time.Until(end))
	defer t.Stop()
	select {
	case g.places <- struct{}{}:
		g.meters.running.Inc()
		return true
	case <-t.C:
		return false
	}
}

func (g *guard) leave() {
	<-g.places
	g.meters.running.Dec()
}

// full is a failure like any other: calls that never come back must open the breaker too.
func (g *guard) full(h *hook) error {
	h.count(errBusy, g.bounds.deadline)
	if report, err := g.breaker.Allow(); err == nil {
		report(errBusy)
	}
	g.complain(h, errBusy, g.bounds.deadline)
	return errBusy
}

// complain logs a failure, at most one a second of a plugin: more are counted.
func (g *guard) complain(h *hook, err error, took time.Duration) {
	now := time.Now().UnixNano()
	last := g.lastLog.Load()
	if now-last < int64(time.Second) || !g.lastLog.CompareAndSwap(last, now) {
		return
	}
	g.log.Warn("a plugin failed", "hook", h.name, "error", err, "took", took, "deadline", g.bounds.deadline)
}

// call is one call of a plugin. Whoever changes running decides what becomes of it.
type call struct {
	guard   *guard
	hook    *hook
	ctx     deadline
	report  func(error)
	late    func(error)
	began   time.Time
	settled atomic.Bool
}

func (c *call) run(fn func(context.Context) error) (mine bool, err error) {
	timer := time.AfterFunc(time.Until(c.ctx.at), c.expire)
	err = c.guarded(fn)
	mine = c.settled.CompareAndSwap(false, true)
	timer.Stop()
	c.ctx.end(context.Canceled)
	c.guard.leave()
	if !mine {
		c.guard.log.Warn("a call of a plugin that was given up has come back", "hook", c.hook.name, "took", time.Since(c.began))
		return false, nil
	}
	c.settle(err)
	return true, err
}

// guarded has a panic become an error. Its stack is logged, since nothing else tells where it was.
func (c *call) guarded(fn func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{r}
			c.guard.complain(c.hook, fmt.Errorf("%w\n%s", err, debug.Stack()), time.Since(c.began))
		}
	}()
	return fn(&c.ctx)
}

func (c *call) expire() {
	if !c.settled.CompareAndSwap(false, true) {
		return
	}
	c.ctx.end(context.DeadlineExceeded)
	c.settle(errLate)
	c.late(errLate)
}

func (c *call) settle(err error) {
	took := time.Since(c.began)
	c.hook.count(err, took)
	if _, refused := asRefusal(err); err == nil || refused {
		c.report(nil)
		return
	}
	c.report(err)
	c.guard.complain(c.hook, err, took)
}

// asRefusal tells whether an error is a decision of the plugin, not a failure. What may not be told to
// a client is none.
func asRefusal(err error) (refused *plugin.Error, ok bool) {
	if !errors.As(err, &refused) || refused.Kind == plugin.KindUnavailable || !tellable(refused.Reason) {
		return nil, false
	}
	return refused, true
}
