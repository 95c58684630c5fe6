package hub

import (
	"slices"
	"strings"

	"github.com/game-im/hermod/internal/realtime/session"
)

// Following returns the channels with a prefix that somebody follows, in no order.
func (h *Hub) Following(prefix string) (names []string) {
	for i := range h.channels {
		for _, ch := range h.channels[i].all() {
			if strings.HasPrefix(ch.name, prefix) {
				names = append(names, ch.name)
			}
		}
	}
	return names
}

// Users returns those whose sessions follow a channel, each once.
func (h *Hub) Users(channel string) []string {
	ch := h.find(channel)
	if ch == nil {
		return nil
	}
	ch.mu.Lock()
	users := make([]string, 0, len(ch.subs))
	for _, sub := range ch.subs {
		users = append(users, sub.Session.User)
	}
	ch.mu.Unlock()
	slices.Sort(users)
	return slices.Compact(users)
}

// SessionsOn returns the sessions on a channel.
func (h *Hub) SessionsOn(name string) []*session.Session {
	ch := h.find(name)
	if ch == nil {
		return nil
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	all := make([]*session.Session, len(ch.subs))
	for i, sub := range ch.subs {
		all[i] = sub.Session
	}
	return all
}
