package protocol

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/presence"
)

const (
	// gatherFor is how long changes gather before sessions are told, all at once.
	gatherFor = 50 * time.Millisecond
	// tellAgain is after how long a session is tried again that had no room.
	tellAgain = 500 * time.Millisecond
	// newsUsers bounds how many users one frame tells of.
	newsUsers = 200
	// newsName is that of all presence frames: while one waits in a session, what is new gathers for the next.
	newsName = "presence"
)

// changed takes word that a user is in another state on this node.
func (w *Watches) changed(user string, now presence.State) {
	if now == presence.Offline {
		w.seen.Seen(biz.UserID(user), time.Now())
	}
	if !w.node.Alone() {
		w.news.add(user)
	}
	w.mu.Lock()
	u := w.users[biz.UserID(user)]
	if u != nil {
		w.metrics.changes.WithLabelValues("here").Inc()
		w.movedLocked(biz.UserID(user), u)
	}
	w.mu.Unlock()
	if u != nil {
		w.telling.ring()
	}
}

// movedLocked notes that a watched user may be in another state.
func (w *Watches) movedLocked(user biz.UserID, u *watched) {
	if w.stateLocked(user, u) == presence.Offline {
		u.seen = time.Now()
	}
	for v := range u.by {
		v.dirty[user] = struct{}{}
		w.untold[v] = struct{}{}
	}
}

// tell tells sessions what is new, until ctx ends.
func (w *Watches) tell(ctx context.Context) {
	retry := time.NewTimer(tellAgain)
	retry.Stop()
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.telling:
		case <-retry.C:
		}
		if !pause(ctx, gatherFor) {
			return
		}
		if w.tellAll() {
			retry.Reset(tellAgain)
		}
	}
}

// tellAll tells every session what it has room for, and returns whether there is more.
func (w *Watches) tellAll() (more bool) {
	w.mu.Lock()
	watches := make([]*watch, 0, len(w.untold))
	for v := range w.untold {
		watches = append(watches, v)
	}
	w.mu.Unlock()
	for _, v := range watches {
		n := w.newsFor(v)
		if len(n.Users)+len(n.Counts) == 0 {
			continue
		}
		taken := v.session.Aside(newsName, frame.New(n))
		switch {
		case taken:
			w.metrics.told.Inc()
		case !v.session.Events():
			w.Drop(v.session)
		}
		w.toldNews(v, n, taken)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.untold) > 0
}

// newsFor returns what a session has not heard yet.
func (w *Watches) newsFor(v *watch) *News {
	n := &News{Time: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	waits := false
	for user := range v.dirty {
		if len(n.Users) == newsUsers {
			waits = true
			break
		}
		told, hears := v.told[user]
		p := biz.UserPresence{User: user}
		if u := w.users[user]; hears && u != nil {
			if !u.known {
				continue // whoever finds out says so
			}
			if p.State = stateFor(w.stateLocked(user, u)); p.State == biz.PresenceOffline {
				p.LastSeen = u.seen
			}
			if p.State == told {
				delete(v.dirty, user)
				continue
			}
		}
		n.Users = append(n.Users, p)
	}
	for room, told := range v.counts {
		if c := w.counts[room]; c != nil && c.known && c.online != told {
			n.Counts = append(n.Counts, RoomCount{Room: room, Online: c.online})
		}
	}
	if !waits && len(n.Users)+len(n.Counts) == 0 {
		delete(w.untold, v)
	}
	slices.SortFunc(n.Users, func(a, b biz.UserPresence) int { return cmp.Compare(a.User, b.User) })
	slices.SortFunc(n.Counts, func(a, b RoomCount) int { return cmp.Compare(a.Room, b.Room) })
	return n
}

// toldNews notes what a session has heard.
func (w *Watches) toldNews(v *watch, n *News, taken bool) {
	if !taken {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range n.Users {
		_, hears := v.told[p.User]
		u := w.users[p.User]
		switch {
		case !hears || u == nil:
			delete(v.dirty, p.User)
		case p.State == biz.PresenceUnknown: // meanwhile it hears of him after all
		default:
			v.told[p.User] = p.State
			if stateFor(w.stateLocked(p.User, u)) == p.State {
				delete(v.dirty, p.User)
			}
		}
	}
	for _, c := range n.Counts {
		if _, hears := v.counts[c.Room]; hears {
			v.counts[c.Room] = c.Online
		}
	}
}
