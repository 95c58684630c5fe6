package plugins

import (
	"context"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// maxFeedBytes bounds the content that may wait for one plugin that observes.
const maxFeedBytes = 64 << 20

// event is something that a plugin is told of.
type event struct {
	hook  *hook
	about string // what it happened to, by which it is in a sample or not
	size  int
	tell  func(context.Context, *abilities) error
}

// feed is what waits for one plugin that observes. One goroutine at a time works it off, which is there
// while something waits.
type feed struct {
	member *member

	mu      sync.Mutex
	waiting []event
	bytes   int
	working bool
	idle    chan struct{} // closed when nothing is left, if somebody waits for that
}

// offer has the plugin told of e later, if that is in its sample, or drops and counts it.
func (f *feed) offer(e event) {
	bounds := &f.member.guard().bounds
	if !bounds.sample.takes(e.about) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) >= bounds.queue || f.bytes+e.size > maxFeedBytes {
		e.hook.dropped.Inc()
		return
	}
	f.waiting = append(f.waiting, e)
	f.bytes += e.size
	if !f.working {
		f.working = true
		go f.work()
	}
}

// work tells the plugin of one event after another. When it does not come back from one, the rest is
// told in the goroutine that found that out.
func (f *feed) work() {
	w := &watch{}
	defer w.close()
	for {
		e, ok := f.next()
		if !ok {
			return
		}
		mine, err := f.member.do(w, e.hook, time.Now(), e.tell, func(error) { f.work() })
		if !mine {
			return
		}
		if err == errLeftAlone || err == errBusy { //nolint:errorlint // the guard's own, as they are
			e.hook.dropped.Inc()
		}
	}
}

func (f *feed) next() (event, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		f.working, f.waiting = false, nil
		if f.idle != nil {
			close(f.idle)
			f.idle = nil
		}
		return event{}, false
	}
	e := f.waiting[0]
	f.waiting[0] = event{}
	f.waiting = f.waiting[1:]
	f.bytes -= e.size
	return e, true
}

// settle waits until nothing is left, or ctx is done.
func (f *feed) settle(ctx context.Context) {
	f.mu.Lock()
	if !f.working {
		f.mu.Unlock()
		return
	}
	if f.idle == nil {
		f.idle = make(chan struct{})
	}
	idle := f.idle
	f.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// observer is one plugin that observes something.
type observer struct {
	feed *feed
	hook *hook
}

// Live is what rooms are delivered with.
type Live interface {
	biz.Deliverer
	biz.Gatherer
	biz.Sequencer
	biz.Usher
}

// observed tells plugins of what is delivered, after it was.
type observed struct {
	Live
	messages []observer
	rooms    []observer

	notifiers []*notifier
}

// Deliver implements biz.Deliverer.
func (o *observed) Deliver(d *biz.Draft) {
	o.Live.Deliver(d)
	o.said(&d.Message)
	o.notify(d)
}

// DeliverAll implements biz.Gatherer.
func (o *observed) DeliverAll(ds []*biz.Draft) {
	o.Live.DeliverAll(ds)
	for _, d := range ds {
		o.said(&d.Message)
		o.notify(d)
	}
}

// Sequence implements biz.Sequencer.
func (o *observed) Sequence(d *biz.Draft, done func(error)) {
	if len(o.messages) == 0 {
		o.Live.Sequence(d, done)
		return
	}
	o.Live.Sequence(d, func(err error) {
		if err == nil {
			o.said(&d.Message)
		}
		done(err)
	})
}

func (o *observed) said(m *biz.Message) {
	for _, to := range o.messages {
		if !to.feed.member.rooms.has(m.Room) {
			continue
		}
		to.feed.offer(event{hook: to.hook, about: m.ID, size: len(m.Content) + waitingOverhead, tell: func(ctx context.Context, able *abilities) error {
			return able.messages.ObserveMessage(ctx, toldOf(m))
		}})
	}
}

// Joined implements biz.Deliverer.
func (o *observed) Joined(j biz.JoinResult) {
	o.Live.Joined(j)
	if j.Fresh {
		o.changed(plugin.RoomEvent{
			Kind: plugin.Joined, RoomID: string(j.Room.ID), UserID: string(j.Member.User),
			Nickname: j.Member.Nickname, Role: j.Member.Role.String(), Time: time.Now(),
		})
	}
}

// Left implements biz.Deliverer.
func (o *observed) Left(room biz.RoomID, user biz.UserID) {
	o.Live.Left(room, user)
	o.changed(plugin.RoomEvent{Kind: plugin.Left, RoomID: string(room), UserID: string(user), Time: time.Now()})
}

// Dismiss implements biz.Usher.
func (o *observed) Dismiss(user biz.UserID, last *biz.Message) {
	o.Live.Dismiss(user, last)
	o.changed(plugin.RoomEvent{Kind: plugin.Left, RoomID: string(last.Room), UserID: string(user), Time: time.Now()})
}

func (o *observed) changed(e plugin.RoomEvent) {
	for _, to := range o.rooms {
		if !to.feed.member.rooms.has(biz.RoomID(e.RoomID)) {
			continue
		}
		to.feed.offer(event{hook: to.hook, about: e.UserID, size: waitingOverhead, tell: func(ctx context.Context, able *abilities) error {
			return able.rooms.ObserveRoom(ctx, e)
		}})
	}
}
