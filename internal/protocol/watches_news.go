package protocol

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
)

const (
	// A node tells of so many users at a time, at this pace, whatever happens to its sessions: 5,000 in a second.
	newsAtOnce = 500
	newsEvery  = 100 * time.Millisecond
	// newsRepeat is after how long it tells once more, since word may be lost.
	newsRepeat = 1500 * time.Millisecond
	// maxNews bounds whom it has yet to tell of. Beyond, others find out when they ask.
	maxNews = 1 << 18
)

// news are users of this node of whom others are to be told: where they are then, not when they were put here.
type news struct {
	bell bell

	mu      sync.Mutex
	waiting map[string]struct{}
	line    []string
	repeats []repeat // in the order in which they are due
}

type repeat struct {
	user string
	due  time.Time
}

func (n *news) init() { n.bell, n.waiting = newBell(), make(map[string]struct{}) }

func (n *news) add(user string) {
	n.mu.Lock()
	_, has := n.waiting[user]
	if has || len(n.waiting) >= maxNews {
		n.mu.Unlock()
		return
	}
	n.waiting[user] = struct{}{}
	n.line = append(n.line, user)
	n.mu.Unlock()
	n.bell.ring()
}

// take returns whom to tell of now, and how long to wait for more; 0: until somebody is added.
func (n *news) take(now time.Time) (users []string, wait time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first := min(newsAtOnce, len(n.line))
	for _, user := range n.line[:first] {
		delete(n.waiting, user)
		if len(n.repeats) < maxNews {
			n.repeats = append(n.repeats, repeat{user, now.Add(newsRepeat)})
		}
	}
	users = append(users, n.line[:first]...)
	if n.line = n.line[first:]; len(n.line) == 0 {
		n.line = nil
	}
	for len(n.repeats) > 0 && len(users) < newsAtOnce && !n.repeats[0].due.After(now) {
		users = append(users, n.repeats[0].user)
		n.repeats = n.repeats[1:]
	}
	switch {
	case len(n.line) > 0:
		wait = newsEvery
	case len(n.repeats) > 0:
		wait = max(newsEvery, n.repeats[0].due.Sub(now))
	default:
		n.repeats = nil
	}
	return users, wait
}

// spread tells other nodes of this one's users, until ctx ends.
func (w *Watches) spread(ctx context.Context) {
	timer := time.NewTimer(newsEvery)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.news.bell:
		case <-timer.C:
		}
		users, wait := w.news.take(time.Now())
		for _, user := range users {
			w.spreadOne(user)
		}
		if wait > 0 {
			timer.Reset(wait)
		}
		if len(users) == newsAtOnce && !pause(ctx, newsEvery) {
			return
		}
	}
}

// spreadOne tells the nodes on which somebody watches a user. The stamp comes first: a state that is read after it
// is as new at least.
func (w *Watches) spreadOne(user string) {
	stamp := w.stamp.Add(1)
	body := marshal(&wire.PresenceNews{User: user, State: int32(w.node.Presence().State(user)), Stamp: stamp})
	if err := w.node.Tell(presencePrefix+user, node.KindPresence, body); err != nil {
		w.log.Debug("other nodes were not told of a user", "user", user, "error", err)
	}
}

// hear takes the word of another node.
func (w *Watches) hear(r broker.Request) {
	var n wire.PresenceNews
	if proto.Unmarshal(r.Body, &n) != nil {
		return
	}
	state := presence.State(min(max(n.GetState(), 0), int32(presence.Online)))
	w.mu.Lock()
	moved := w.sightedLocked(biz.UserID(n.GetUser()), sighting{r.Node, state, n.GetStamp()})
	w.mu.Unlock()
	if moved {
		w.telling.ring()
	}
}

// sightedLocked notes where a user is on another node, and tells whether that is news.
func (w *Watches) sightedLocked(user biz.UserID, s sighting) (moved bool) {
	u := w.users[user]
	if u == nil {
		return false
	}
	before := w.stateLocked(user, u)
	if !u.sight(s) || w.stateLocked(user, u) == before {
		return false
	}
	w.metrics.changes.WithLabelValues("elsewhere").Inc()
	w.movedLocked(user, u)
	return true
}

// sight takes the newest word of each node.
func (u *watched) sight(s sighting) bool {
	for i := range u.at {
		if u.at[i].node != s.node {
			continue
		}
		if u.at[i].stamp >= s.stamp {
			return false
		}
		u.at[i] = s
		return true
	}
	u.at = append(u.at, s)
	return true
}
