package chat

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

const (
	// tellTyping is how often others are told that one is typing, and typingLasts for how long that is true
	// of others, unless they say so again.
	tellTyping  = 3 * time.Second
	typingLasts = 10 * time.Second
	// markEvery is how soon what was shown is marked as read.
	markEvery = time.Second
	// maxAsked bounds of how many /who asks more than whether they are online.
	maxAsked = 1000
)

// company is who else is there.
type company struct {
	typing map[string]time.Time          // since when somebody types in the present room
	states map[string]imv1.PresenceState // as one was told last
	away   bool                          // one is, as one has said
	told   atomic.Int64                  // when others were last told that one is typing, in nanoseconds since 1970
}

// Ephemeral is the client's OnEphemeral.
func (c *Chat) Ephemeral(e *client.Ephemeral) {
	if e.Kind == client.EphemeralTyping && e.UserID != c.cfg.User {
		c.post(func() { c.types(e.RoomID, e.UserID) })
	}
}

// Presence is the client's OnPresence.
func (c *Chat) Presence(p *imv1.PresenceContent) {
	c.post(func() {
		for _, user := range p.GetUsers() {
			c.moved(user)
		}
	})
}

// types shows that somebody is typing, once until he has said something.
func (c *Chat) types(room, user string) {
	now := time.Now()
	since, already := c.company.typing[user]
	if room != c.room {
		return
	}
	if c.company.typing == nil {
		c.company.typing = map[string]time.Time{}
	}
	c.company.typing[user] = now
	if !already || now.Sub(since) > typingLasts {
		c.note("%s is typing", c.speaker(user))
	}
}

// silent notes that somebody has said what he was typing.
func (c *Chat) silent(msg *imv1.MessageResponse) { delete(c.company.typing, msg.GetFromUserId()) }

// moved shows that somebody has come, gone, or looked away. The first that is said of him is no news.
func (c *Chat) moved(user *imv1.UserPresence) {
	id, state := user.GetUserId(), user.GetState()
	before, known := c.company.states[id]
	if c.company.states == nil {
		c.company.states = map[string]imv1.PresenceState{}
	}
	c.company.states[id] = state
	if known && before != state && id != c.cfg.User {
		c.note("%s is %s", c.speaker(id), stateWord(state))
	}
}

func stateWord(s imv1.PresenceState) string {
	if s == imv1.PresenceState_PRESENCE_STATE_UNSPECIFIED {
		return "out of sight"
	}
	return strings.ToLower(strings.TrimPrefix(s.String(), "PRESENCE_STATE_"))
}

// watch has Presence told of the rooms that one is in. Whether that can be had is the node's business.
func (c *Chat) watch() {
	if c.cfg.Echo {
		return
	}
	rooms := slices.Clone(c.rooms)
	c.aside(func(ctx context.Context) { _ = c.client.WatchPresence(ctx, nil, rooms) })
}

// typing is told of every key, by the goroutine that reads them.
func (c *Chat) typing(line string) {
	if strings.HasPrefix(line, "/") {
		return
	}
	now, told := time.Now().UnixNano(), c.company.told.Load()
	if now-told < int64(tellTyping) || !c.company.told.CompareAndSwap(told, now) {
		return
	}
	go c.post(func() {
		room := c.room
		if room != "" {
			c.aside(func(ctx context.Context) { _ = c.client.Typing(ctx, room) }) // of no use later
		}
	})
}

// goAway says that one is not looking, comeBack that one is again.
func (c *Chat) goAway(context.Context, string) {
	c.company.away = true
	c.aside(func(ctx context.Context) { _ = c.client.SetAway(ctx, true) }) // the next connection says it again
	c.note("you are away, until you type something")
}

func (c *Chat) comeBack() {
	if c.company.away {
		c.company.away = false
		c.aside(func(ctx context.Context) { _ = c.client.SetAway(ctx, false) })
	}
}

// marks are what is to be marked as read.
type marks struct {
	upTo    map[string]int64
	waiting bool
}

// note has a room marked as read up to seq, soon.
func (m *marks) note(c *Chat, room string, seq int64) {
	if c.cfg.Echo {
		return
	}
	if m.upTo == nil {
		m.upTo = map[string]int64{}
	}
	m.upTo[room] = max(m.upTo[room], seq)
	if !m.waiting {
		m.waiting = true
		time.AfterFunc(markEvery, func() { c.post(func() { m.mark(c) }) })
	}
}

// mark tells the node. A mark that gets lost is made up for by the next one.
func (m *marks) mark(c *Chat) {
	upTo := m.upTo
	m.upTo, m.waiting = nil, false
	c.aside(func(ctx context.Context) {
		for room, seq := range upTo {
			_, _ = c.client.MarkRead(ctx, room, seq)
		}
	})
}

// askPresence finds out more of those who are in a room than whether they are online, where the node knows it.
func (c *Chat) askPresence(ctx context.Context, l *look) {
	var users []string
	for _, user := range l.users {
		if len(users) < maxAsked && user.GetUserId() != c.cfg.User {
			users = append(users, user.GetUserId())
		}
	}
	if len(users) == 0 {
		return
	}
	found, err := c.client.Presence(ctx, users...)
	if err != nil {
		return // an older node
	}
	l.there = map[string]*imv1.UserPresence{}
	for _, p := range found {
		l.there[p.GetUserId()] = p
	}
}

// whereabouts shows who is there.
func (c *Chat) whereabouts(l look) {
	var online, away, offline []string
	for _, user := range l.online {
		if l.there[user].GetState() == imv1.PresenceState_PRESENCE_STATE_AWAY {
			away = append(away, user)
		} else {
			online = append(online, user)
		}
	}
	c.note("online: %s", c.list(online))
	if len(away) > 0 {
		c.note("away: %s", c.list(away))
	}
	for _, user := range l.users {
		if !slices.Contains(l.online, user.GetUserId()) {
			offline = append(offline, c.absent(user.GetUserId(), l))
		}
	}
	if len(offline) > 0 {
		c.note("offline: %s", strings.Join(offline, ", "))
	}
}

func (c *Chat) absent(user string, l look) string {
	name := c.called(user)
	if seen := l.there[user].GetLastSeen(); seen != nil {
		name += ", last seen " + c.cfg.Style.clock(seen.AsTime())
	}
	return name
}
