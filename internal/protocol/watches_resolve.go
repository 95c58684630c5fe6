package protocol

import (
	"context"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

const (
	// resolvers bounds how many watches are looked up in the store at once.
	resolvers = 4
	// resolveWithin bounds one, and resolvePause is how long a resolver rests between two, so that others have
	// their turn with the store however many clients come at once.
	resolveWithin = 10 * time.Second
	resolvePause  = 5 * time.Millisecond
	resolveAgain  = 2 * time.Second // after a failure
)

// queueLocked has it found out whom a watch may hear of.
func (w *Watches) queueLocked(v *watch) {
	switch {
	case v.gone || v.queued:
	case v.busy:
		v.again = true
	default:
		v.queued = true
		w.line = append(w.line, v)
		w.resolving.ring()
	}
}

// next takes a watch out of the line.
func (w *Watches) next() (v *watch, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.line) > 0 {
		v, w.line = w.line[0], w.line[1:]
		if v.queued = false; !v.gone {
			v.busy = true
			return v, len(w.line) > 0
		}
	}
	w.line = nil
	return nil, false
}

func (w *Watches) resolve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.resolving:
		}
		v, more := w.next()
		if more {
			w.resolving.ring() // another resolver
		}
		if v == nil {
			continue
		}
		err := w.resolveOne(ctx, v)
		if err != nil && ctx.Err() == nil {
			w.log.Warn("whom a session watches could not be looked up; trying again", "session", v.session.ID, "error", err)
			time.AfterFunc(resolveAgain, func() { w.resolved(v, true) })
		} else {
			w.resolved(v, false)
		}
		if !pause(ctx, resolvePause) {
			return
		}
		w.resolving.ring() // for what this one did not hear
	}
}

func (w *Watches) resolved(v *watch, again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v.busy = false
	if v.again || again {
		v.again = false
		w.queueLocked(v)
	}
}

func (w *Watches) resolveOne(ctx context.Context, v *watch) error {
	ctx, cancel := context.WithTimeout(ctx, resolveWithin)
	defer cancel()
	found, err := w.rules.Watch(ctx, biz.UserID(v.session.User), v.want)
	if err != nil {
		return err
	}
	fresh := w.apply(v, found)
	for _, user := range fresh {
		w.node.Reconsider(presenceChannel(user))
	}
	if err := w.learn(ctx, fresh); err != nil {
		return err
	}
	w.telling.ring()
	w.asking.ring() // for rooms to be counted, and whom nobody watches any more
	return nil
}

// apply changes what a watch hears of and returns whom nobody has watched here before.
func (w *Watches) apply(v *watch, found biz.Watched) (fresh []biz.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v.gone {
		return nil
	}
	now := make(map[biz.UserID]biz.PresenceState, len(found.Users))
	for _, user := range found.Users {
		u := w.users[user]
		if u == nil {
			u = &watched{by: make(map[*watch]struct{})}
			w.users[user] = u
		}
		if !u.known {
			fresh = append(fresh, user)
		}
		u.by[v] = struct{}{}
		state, had := v.told[user]
		if now[user] = state; !had {
			v.dirty[user] = struct{}{}
		}
	}
	for user := range v.told {
		if _, has := now[user]; !has {
			w.unwatchLocked(v, user)
			v.dirty[user] = struct{}{} // it is told that it hears no more
		}
	}
	v.told = now
	if !v.begun {
		v.begun = true
		for _, user := range v.want.Users {
			if _, has := now[user]; !has {
				v.dirty[user] = struct{}{}
			}
		}
	}
	w.countLocked(v, found.Counts)
	w.untold[v] = struct{}{}
	w.gaugeLocked()
	return fresh
}

// learn finds out where users are whom nobody has watched here before, and when they were last there.
func (w *Watches) learn(ctx context.Context, users []biz.UserID) error {
	if len(users) == 0 {
		return nil
	}
	w.inquire(ctx, users)
	var gone []biz.UserID
	w.mu.Lock()
	for _, user := range users {
		if u := w.users[user]; u != nil && u.seen.IsZero() && w.stateLocked(user, u) == 0 {
			gone = append(gone, user)
		}
	}
	w.mu.Unlock()
	seen, err := w.rules.Seen(ctx, gone)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, user := range users {
		u := w.users[user]
		if u == nil {
			continue
		}
		u.known = true
		if u.seen.IsZero() {
			u.seen = seen[user]
		}
		for v := range u.by {
			w.untold[v] = struct{}{}
		}
	}
	return nil
}
