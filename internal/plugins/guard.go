package plugins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/plugin"
)

// Why a call failed that the plugin itself did not fail.
var (
	errLate      = errors.New("it is not back in time")
	errBusy      = errors.New("as many calls as may run at once do not come back")
	errRetired   = errors.New("another value of the plugin has taken its place")
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
	sample      sample        // of events
}

// guard stands between the node and one value of a plugin, until that is replaced.
type guard struct {
	name    string
	bounds  bounds
	able    *abilities
	places  chan struct{}
	retired chan struct{} // closed when nobody is to call it any more
	breaker breaker
	meters  *meters
	log     *slog.Logger
	lastLog atomic.Int64 // when a failure was logged, in nanoseconds of the clock
}

// question is what a plugin is asked.
type question interface {
	// ask asks it.
	ask(ctx context.Context, able *abilities) error
	// late follows in another goroutine when ask does not come back in time.
	late(err error)
}

// functions is a question.
type functions struct {
	fn     func(context.Context, *abilities) error
	behind func(error)
}

func (f *functions) ask(ctx context.Context, able *abilities) error { return f.fn(ctx, able) }
func (f *functions) late(err error)                                 { f.behind(err) }

// call asks the plugin, since a moment from where its deadline counts; the question belongs to the call c, which is fresh,
// from then on. mine is false when the plugin did not come back in time: then the question is told so
// in another goroutine, and whatever goes on goes on there. The error is errRetired if another guard is to be
// asked, and nothing has happened then.
func (g *guard) call(w *watch, h *hook, since time.Time, q question, c *call) (mine bool, err error) {
	now := w.time()
	if g.breaker.resting(now) {
		h.count(errLeftAlone, 0)
		return true, errLeftAlone
	}
	end := since.Add(g.bounds.deadline)
	switch now, err = g.enter(now, end); {
	case err == nil:
	case errors.Is(err, errRetired):
		return true, err
	default:
		return true, g.full(h)
	}
	try, ok := g.breaker.allow(now)
	if !ok { // somebody else tries whether it works again
		g.leave()
		h.count(errLeftAlone, 0)
		return true, errLeftAlone
	}
	c.guard, c.hook, c.watch, c.question, c.try, c.began = g, h, w, q, try, now
	c.ctx.at = end
	return c.run()
}

// enter takes a place, and waits for one until the deadline. It returns when it got one, unless the guard is
// retired: whoever retires it takes all the places, so nobody is called who has one and does not know.
func (g *guard) enter(now, end time.Time) (time.Time, error) {
	select {
	case g.places <- struct{}{}:
		return now, g.entered()
	default:
	}
	t := time.NewTimer(end.Sub(now))
	defer t.Stop()
	select {
	case g.places <- struct{}{}:
		return time.Now(), g.entered()
	case <-g.retired:
		return now, errRetired
	case <-t.C:
		return now, errBusy
	}
}

func (g *guard) entered() error {
	select {
	case <-g.retired:
		<-g.places
		return errRetired
	default:
		g.meters.running.Inc()
		return nil
	}
}

func (g *guard) leave() {
	<-g.places
	g.meters.running.Dec()
}

// full is a failure like any other: calls that never come back must open the breaker too.
func (g *guard) full(h *hook) error {
	h.count(errBusy, g.bounds.deadline)
	now := time.Now()
	if try, ok := g.breaker.allow(now); ok {
		g.breaker.report(now, try, true)
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

// call is one call of a plugin. Its watch decides whether it was in time.
type call struct {
	guard    *guard
	hook     *hook
	watch    *watch
	question question
	ctx      deadline
	try      bool
	began    time.Time
}

func (c *call) run() (mine bool, err error) {
	c.watch.begin(c)
	err = c.guarded()
	mine = c.watch.end(c)
	c.ctx.end(context.Canceled)
	c.guard.leave()
	if !mine {
		c.guard.log.Warn("a call of a plugin that was given up has come back", "hook", c.hook.name, "took", time.Since(c.began))
		return false, nil
	}
	c.watch.now = c.settle(err)
	return true, err
}

// guarded has a panic become an error. Its stack is logged, since nothing else tells where it was.
func (c *call) guarded() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{r}
			c.guard.complain(c.hook, fmt.Errorf("%w\n%s", err, debug.Stack()), time.Since(c.began))
		}
	}()
	return c.question.ask(&c.ctx, c.guard.able)
}

// expire gives the call up.
func (c *call) expire() {
	c.ctx.end(context.DeadlineExceeded)
	c.settle(errLate)
	c.question.late(errLate)
}

// settle counts the call, and returns when it ended.
func (c *call) settle(err error) (now time.Time) {
	now = time.Now()
	took := now.Sub(c.began)
	c.hook.count(err, took)
	_, refused := asRefusal(err)
	failed := err != nil && !refused
	c.guard.breaker.report(now, c.try, failed)
	if failed {
		c.guard.complain(c.hook, err, took)
	}
	return now
}

// asRefusal tells whether an error is a decision of the plugin, not a failure. What may not be told to
// a client is none.
func asRefusal(err error) (refused *plugin.Error, ok bool) {
	if err == nil {
		return nil, false
	}
	if !errors.As(err, &refused) || refused.Kind == plugin.KindUnavailable || !tellable(refused.Reason) {
		return nil, false
	}
	return refused, true
}
