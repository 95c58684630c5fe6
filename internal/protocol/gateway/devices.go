package gateway

import (
	"slices"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Devices says how many gateway sessions one user may have, on all nodes together.
type Devices string

// The policies. Whichever is chosen, a device that starts anew takes the place of its own session.
const (
	Replace Devices = "replace" // one: a new session ends the others
	Allow   Devices = "allow"   // up to Config.MaxDevices: beyond that a new one ends the oldest
	Class   Devices = "class"   // one of each class of device
)

// ofUser returns the user's gateway sessions on this node, the newest last.
func (h *Handler) ofUser(user biz.UserID) []*session.Session {
	all := slices.DeleteFunc(h.node.OfUser(string(user)), func(s *session.Session) bool { return lifeOf(s) == nil })
	slices.SortFunc(all, func(a, b *session.Session) int { return order(rivalOf(a), rivalOf(b)) })
	return all
}

// formerOf returns the session that a client without a ticket means when it comes back: of those of
// the same device the one that waits for its client, the newest of several; otherwise the newest.
func (h *Handler) formerOf(user biz.UserID, device string) *session.Session {
	var former *session.Session
	for _, s := range h.ofUser(user) {
		if s.Device != device || former != nil && former.State() == session.Detached && s.State() != session.Detached {
			continue
		}
		former = s
	}
	return former
}
