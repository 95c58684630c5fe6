package mobilepush

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/game-im/hermod/plugin"
)

// callRequests is how many devices one call sends to at once: few enough that a large room leaves places to others.
const callRequests = 32

// NotifyOffline implements plugin.OfflineNotifier. It returns when every device of the users has been decided about, or
// ctx leaves no more time. If something is left that may do later it is refused as unavailable, so that the node asks
// again, and then only what is left is sent.
func (p *Push) NotifyOffline(ctx context.Context, n plugin.Notification) error {
	t := p.writer.note(n, time.Now())
	if t == nil {
		return nil
	}
	users := n.Users
	if t.message && p.config.Message.Notify == notifyMentioned {
		users = n.Mentioned
	}
	if len(users) == 0 {
		return nil
	}
	if t.expired() {
		for range users {
			p.metrics.count("", expired)
		}
		return nil
	}
	ctx, cancel := withMargin(ctx)
	defer cancel()
	devices, err := p.devices.of(ctx, users)
	if err != nil {
		return unknownDevices(err)
	}
	return p.deliver(ctx, t, users, devices)
}

// withMargin ends a little earlier than ctx, so that who calls is told what is left rather than nothing.
func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(time.Until(end)/10, 500*time.Millisecond)))
}

func unknownDevices(err error) error {
	e := &plugin.Error{Kind: plugin.KindUnavailable, Reason: "it is not known which devices the users have", Cause: err}
	if no, ok := errors.AsType[*refusal](err); ok {
		e.RetryAfter = no.retryAfter
	}
	return e
}

// round is the sending of one note to the devices of one call.
type round struct {
	mu    sync.Mutex
	done  map[target]bool // decided, now or by an earlier call for the same
	left  int
	pause time.Duration // the longest that a provider asked for
	last  answer
}

// deliver sends to all devices that an earlier call for the same has not been done with.
func (p *Push) deliver(ctx context.Context, t *note, users []string, devices map[string][]device) error {
	key := t.id + "\x00" + users[0] // no user is in two calls for the same
	r := &round{done: map[target]bool{}}
	if before, ok := p.progress.Get(key); ok {
		p.progress.Remove(key)
		r.done = before
	}
	var together errgroup.Group
	together.SetLimit(callRequests)
	for _, user := range users {
		for _, d := range devices[user] {
			to := target{user, d}
			if r.isDone(to) {
				continue
			}
			together.Go(func() error {
				r.note(to, p.sendOne(ctx, t, to))
				return nil
			})
		}
	}
	_ = together.Wait() // what fails is noted
	if r.left == 0 {
		return nil
	}
	p.progress.Add(key, r.done)
	return &plugin.Error{
		Kind: plugin.KindUnavailable, Reason: "some devices could not be notified yet", RetryAfter: r.pause,
		Cause: fmt.Errorf("%d of them: %s, %s", r.left, r.last.outcome, r.last.reason),
	}
}

func (r *round) isDone(to target) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done[to]
}

func (r *round) note(to target, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !a.temporary() {
		r.done[to] = true
		return
	}
	r.left++
	r.pause, r.last = max(r.pause, a.retryAfter), a
}

// sendOne sends to one device, and counts what becomes of that.
func (p *Push) sendOne(ctx context.Context, t *note, to target) (a answer) {
	defer func() { p.metrics.count(to.device.Platform, a.outcome) }()
	l := p.lanes[to.device.Platform]
	if l == nil {
		return answer{outcome: noProvider}
	}
	says, err := p.writer.words(t, to)
	switch {
	case err != nil:
		p.log.Warn("a template failed", "error", err)
		return answer{outcome: refused, reason: "template"}
	case says == words{} && !p.config.Background:
		return answer{outcome: noText}
	}
	if a = l.deliver(ctx, to, t, says); a.outcome == dead {
		p.bury(to, a)
	}
	return a
}

func (p *Push) bury(to target, a answer) {
	p.devices.forget(to.user, to.device)
	g := grave{User: to.user, Platform: to.device.Platform, Token: to.device.Token, Reason: a.reason}
	if !a.since.IsZero() {
		g.Since = &a.since
	}
	p.reports.add(g)
}
