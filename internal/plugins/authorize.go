package plugins

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// askAtOnce is how many questions of one batch of pushes are asked at a time, of plugins that let so many run.
const askAtOnce = 16

// authorizer is one plugin that authorizes.
type authorizer struct {
	member *member
	hook   *hook
}

// Authorizers is a biz.Authorizer that asks plugins, one after another until one says no.
type Authorizers struct {
	chain    []*authorizer
	refusals refusals
}

// MayJoin implements biz.Authorizer.
func (a *Authorizers) MayJoin(ctx context.Context, by biz.Identity, room biz.RoomID, user biz.UserID) error {
	access := accessOf(by, plugin.Join)
	access.RoomID, access.UserID = string(room), string(user)
	return a.one(ctx, access)
}

// MayBroadcast implements biz.Authorizer.
func (a *Authorizers) MayBroadcast(ctx context.Context, by biz.Identity) error {
	access := accessOf(by, plugin.Push)
	access.Target.Kind = plugin.Everybody
	return a.one(ctx, access)
}

// MayPush implements biz.Authorizer. Targets that are there several times are asked about once.
func (a *Authorizers) MayPush(ctx context.Context, by biz.Identity, to []biz.Target) []error {
	known := map[biz.Target]int{}
	var asked []plugin.Access
	for _, t := range to {
		if _, ok := known[t]; ok {
			continue
		}
		known[t] = len(asked)
		access := accessOf(by, plugin.Push)
		access.Target = plugin.Target{Kind: targetKinds[biz.ParseTargetKind(t.Type)], ID: t.ID}
		asked = append(asked, access)
	}
	answers := a.all(ctx, asked)
	if answers == nil {
		return nil
	}
	told := make([]error, len(to))
	for i, t := range to {
		told[i] = answers[known[t]]
	}
	return told
}

var targetKinds = map[biz.TargetKind]plugin.TargetKind{
	biz.TargetSession: plugin.Session, biz.TargetUser: plugin.User, biz.TargetGID: plugin.Group,
}

func (a *Authorizers) one(ctx context.Context, access plugin.Access) error {
	if answers := a.all(ctx, []plugin.Access{access}); answers != nil {
		return answers[0]
	}
	return nil
}

// all returns the answers, or nil if all of it is allowed. When ctx ends first, they are its error.
func (a *Authorizers) all(ctx context.Context, asked []plugin.Access) (answers []error) {
	if len(asked) == 0 {
		return nil
	}
	left := make([]int, len(asked)) // those that nobody has said no to
	for i := range left {
		left[i] = i
	}
	for _, on := range a.chain {
		if asked[0].RoomID != "" && !on.member.rooms.has(biz.RoomID(asked[0].RoomID)) { // a question about a room is alone
			continue
		}
		q := &questions{ctx: ctx, on: on, asked: asked, which: left, answers: make([]error, len(left)), done: make(chan struct{})}
		if !q.run() {
			return slices.Repeat([]error{ctx.Err()}, len(asked))
		}
		var more []int
		for k, i := range left {
			if err := on.denial(q.answers[k]); err == nil {
				more = append(more, i)
			} else {
				if answers == nil {
					answers = make([]error, len(asked))
				}
				answers[i] = err
				if ctx.Err() == nil { // the caller is there to be refused
					a.refusals.asking(asked[i], on.member, q.answers[k])
				}
			}
		}
		left = more
	}
	return answers
}

// questions are those that one plugin is asked together. They have its deadline together.
type questions struct {
	ctx     context.Context //nolint:containedctx // of whoever waits for the answers
	on      *authorizer
	asked   []plugin.Access
	which   []int // of asked
	since   time.Time
	next    atomic.Int64
	left    atomic.Int64
	answers []error // each of whoever is at that question, until done is closed
	done    chan struct{}
}

// run returns false if ctx has ended before all of them were answered: then answers belongs to others.
func (q *questions) run() bool {
	if len(q.which) == 0 {
		return true
	}
	q.since = time.Now()
	q.left.Store(int64(len(q.which)))
	for range min(len(q.which), askAtOnce, q.on.member.guard().bounds.concurrency) {
		go q.work()
	}
	select {
	case <-q.done:
		return true
	case <-q.ctx.Done():
		return false
	}
}

// work asks one question after another. When the plugin does not come back from one, the rest is asked in the
// goroutine that found that out.
func (q *questions) work() {
	w := &watch{}
	defer w.close()
	for {
		k := int(q.next.Add(1)) - 1
		if k >= len(q.which) {
			return
		}
		mine, err := q.ask(q.asked[q.which[k]], w, func(err error) {
			q.settle(k, err)
			q.work()
		})
		if !mine {
			return
		}
		q.settle(k, err)
	}
}

func (q *questions) ask(a plugin.Access, w *watch, late func(error)) (mine bool, err error) {
	h := q.on.hook
	switch {
	case q.ctx.Err() != nil:
		return true, q.ctx.Err()
	case time.Since(q.since) >= q.on.member.guard().bounds.deadline: // those before it took all the time
		h.late.Inc()
		return true, errLate
	}
	return q.on.member.do(w, h, q.since, func(limited context.Context, able *abilities) error {
		limited, cancel := context.WithCancel(limited)
		defer cancel()
		defer context.AfterFunc(q.ctx, cancel)()
		err := able.authorizes.Authorize(limited, a)
		if err != nil && q.ctx.Err() != nil {
			return plugin.Refused("the caller is gone") // no fault of the plugin's
		}
		return err
	}, late)
}

func (q *questions) settle(k int, err error) {
	q.answers[k] = err
	if q.left.Add(-1) == 0 {
		close(q.done)
	}
}

// denial is what the caller is told after an answer or a failure of the plugin; nil: nothing stands against it.
func (a *authorizer) denial(err error) error {
	refused, ok := asRefusal(err)
	switch {
	case ok:
		return biz.Errorf(biz.KindPermissionDenied, "NOT_AUTHORIZED", "%s", refused.Reason)
	case err != nil && !a.member.guard().bounds.open:
		return biz.Errorf(biz.KindUnavailable, "PLUGIN_UNAVAILABLE", "whether this is allowed must be asked first, and that cannot be done now").
			Because(fmt.Errorf("plugin %s: %w", a.member.name, err)).After(a.member.guard().advice(err))
	}
	return nil
}

// sendingOf is what is asked about a message.
func sendingOf(by *biz.Speaker, m *biz.Message) plugin.Access {
	access := accessOf(by.By, plugin.Send)
	access.RoomID, access.UserID, access.Role = string(m.Room), string(m.Sender), by.Role.String()
	return access
}

// accessOf is what any question says, with copies: a plugin may have it when nobody waits any more.
func accessOf(by biz.Identity, kind plugin.AccessKind) plugin.Access {
	return plugin.Access{Kind: kind, By: string(by.User), Subject: by.Subject, Roles: slices.Clone(by.Roles)}
}
