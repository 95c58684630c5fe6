package protocol

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
)

const (
	// askUsers bounds one question, and askPause is between two.
	askUsers = 1000
	askPause = 50 * time.Millisecond
	// askSpread is within which nodes ask that have all heard the same.
	askSpread = 200 * time.Millisecond
	// countEvery is how often rooms are counted that somebody is told counts of.
	countEvery = 2 * time.Second
	// refreshEvery is how often everybody is asked about who is watched, and lapEvery how often it is looked up
	// who may hear of whom, whatever was heard.
	refreshEvery = time.Minute
	lapEvery     = 10 * time.Minute
)

// headcount is a room of which somebody is told counts.
type headcount struct {
	by     map[*watch]struct{}
	online int
	known  bool
}

// countLocked has a watch told the counts of these rooms, and of no others.
func (w *Watches) countLocked(v *watch, rooms []biz.RoomID) {
	for room := range v.counts {
		if !slices.Contains(rooms, room) {
			w.uncountLocked(v, room)
			delete(v.counts, room)
		}
	}
	for _, room := range rooms {
		if _, has := v.counts[room]; has {
			continue
		}
		v.counts[room] = -1
		c := w.counts[room]
		if c == nil {
			c = &headcount{by: make(map[*watch]struct{})}
			w.counts[room] = c
		}
		c.by[v] = struct{}{}
	}
}

func (w *Watches) uncountLocked(v *watch, room biz.RoomID) {
	c := w.counts[room]
	if c == nil {
		return
	}
	if delete(c.by, v); len(c.by) == 0 {
		delete(w.counts, room)
	}
}

// missed takes word that what other nodes told may not have come.
func (w *Watches) missed(channel string) {
	user, of := cutPresence(channel)
	w.mu.Lock()
	switch {
	case channel == "":
		w.doubtAllLocked()
	case of && w.users[user] != nil:
		w.doubtful[user] = struct{}{}
	}
	doubts := len(w.doubtful) > 0
	w.mu.Unlock()
	if doubts {
		w.asking.ring()
	}
}

func cutPresence(channel string) (biz.UserID, bool) {
	if len(channel) <= len(presencePrefix) || channel[:len(presencePrefix)] != presencePrefix {
		return "", false
	}
	return biz.UserID(channel[len(presencePrefix):]), true
}

func (w *Watches) doubtAllLocked() {
	for user := range w.users {
		w.doubtful[user] = struct{}{}
	}
}

// member takes word that a node has come, of which it is not known who is there, or is gone, with all who were.
func (w *Watches) member(id string, here bool) {
	w.mu.Lock()
	if here {
		w.doubtAllLocked()
	} else {
		w.forgetLocked(func(node string) bool { return node == id })
	}
	w.mu.Unlock()
	w.asking.ring()
	w.telling.ring()
}

// forgetLocked forgets what was heard of nodes that are gone.
func (w *Watches) forgetLocked(gone func(node string) bool) {
	for user, u := range w.users {
		before := w.stateLocked(user, u)
		u.at = slices.DeleteFunc(u.at, func(s sighting) bool { return gone(s.node) })
		if w.stateLocked(user, u) != before {
			w.movedLocked(user, u)
		}
	}
}

// ask asks other nodes what is to be known, until ctx ends. A node on which nobody watches anybody asks nothing.
func (w *Watches) ask(ctx context.Context) {
	tick := time.NewTimer(countEvery)
	tick.Stop()
	defer tick.Stop()
	refresh, lap := time.Now().Add(about(refreshEvery)), time.Now().Add(about(lapEvery))
	var lastCount time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.asking:
		case <-tick.C:
		}
		now := time.Now()
		w.mu.Lock()
		if now.After(refresh) {
			refresh = now.Add(about(refreshEvery))
			w.doubtAllLocked()
			others := w.node.Others() // late word of a node that was gone already
			w.forgetLocked(func(node string) bool { return !slices.Contains(others, node) })
		}
		if now.After(lap) {
			lap = now.Add(about(lapEvery))
			for _, v := range w.sessions {
				w.queueLocked(v)
			}
		}
		watching, counting := len(w.sessions) > 0, len(w.counts) > 0
		w.mu.Unlock()
		w.reconsider()
		w.settle(ctx)
		if counting && now.Sub(lastCount) >= countEvery {
			lastCount = now
			w.count(ctx)
		}
		if watching && ctx.Err() == nil {
			tick.Reset(countEvery)
		}
	}
}

// reconsider lets go of whom nobody watches any more.
func (w *Watches) reconsider() {
	w.mu.Lock()
	dropped := w.dropped
	w.dropped = nil
	w.mu.Unlock()
	for _, user := range dropped {
		w.node.Reconsider(presenceChannel(user))
	}
}

// settle asks about those who are in doubt.
func (w *Watches) settle(ctx context.Context) {
	w.mu.Lock()
	users := make([]biz.UserID, 0, len(w.doubtful))
	for user := range w.doubtful {
		users = append(users, user)
	}
	clear(w.doubtful)
	w.mu.Unlock()
	if len(users) == 0 || w.node.Alone() || !pause(ctx, rand.N(askSpread)) {
		return
	}
	for part := range slices.Chunk(users, askUsers) {
		w.inquire(ctx, part)
		if !pause(ctx, about(askPause)) {
			return
		}
	}
	w.telling.ring()
}

// inquire asks the other nodes, of which one that does not answer is not heard.
func (w *Watches) inquire(ctx context.Context, users []biz.UserID) {
	if w.node.Alone() {
		return
	}
	for part := range slices.Chunk(users, askUsers) {
		w.inquireOnce(ctx, part)
	}
}

func (w *Watches) inquireOnce(ctx context.Context, users []biz.UserID) {
	ctx, cancel := context.WithTimeout(ctx, onlineWithin)
	defer cancel()
	q := &wire.PresenceQuestion{Users: texts(users)}
	_ = askEverybody(ctx, w.node, node.KindWatched, marshal(q), func(a broker.Answer) (ok, more bool) {
		var answer wire.PresenceAnswer
		if proto.Unmarshal(a.Body, &answer) != nil {
			return false, true
		}
		w.answered(a.Node, users, &answer)
		return true, true
	}) // who does not answer is asked again
}

func texts[T ~string](ids []T) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = string(id)
	}
	return all
}

// answered takes what a node knows of users.
func (w *Watches) answered(from string, users []biz.UserID, answer *wire.PresenceAnswer) {
	states := make([]presence.State, len(users))
	for state, places := range map[presence.State][]int32{presence.Online: answer.GetOnline(), presence.Away: answer.GetAway()} {
		for _, i := range places {
			if i >= 0 && int(i) < len(users) {
				states[i] = state
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, user := range users {
		w.sightedLocked(user, sighting{from, states[i], answer.GetStamp()})
	}
}

// answer answers another node.
func (w *Watches) answer(r broker.Request) {
	var q wire.PresenceQuestion
	if proto.Unmarshal(r.Body, &q) != nil {
		return
	}
	answer := wire.PresenceAnswer{Stamp: w.stamp.Add(1)}
	for i, user := range q.GetUsers() {
		switch w.node.Presence().State(user) {
		case presence.Online:
			answer.Online = append(answer.Online, int32(i))
		case presence.Away:
			answer.Away = append(answer.Away, int32(i))
		}
	}
	r.Answer(marshal(&answer))
}

// count counts the rooms of which somebody is told.
func (w *Watches) count(ctx context.Context) {
	w.mu.Lock()
	rooms := make([]biz.RoomID, 0, len(w.counts))
	for room := range w.counts {
		rooms = append(rooms, room)
	}
	w.mu.Unlock()
	for part := range slices.Chunk(rooms, maxAttendance) {
		online, _ := attending(ctx, w.node, part) // who is on a node that does not answer is not there
		w.mu.Lock()
		for i, room := range part {
			c := w.counts[room]
			if c == nil || c.known && c.online == online[i] {
				continue
			}
			c.known, c.online = true, online[i]
			for v := range c.by {
				w.untold[v] = struct{}{}
			}
		}
		w.mu.Unlock()
	}
	w.telling.ring()
}
