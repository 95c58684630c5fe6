package gateway

import (
	"cmp"
	"slices"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Devices says how many gateway sessions one user may have.
type Devices string

// The policies. Whichever is chosen, a device that starts anew takes the place of its own session.
const (
	Replace Devices = "replace" // one: a new session ends the others
	Allow   Devices = "allow"   // up to Config.MaxDevices: beyond that a new one ends the oldest
	Class   Devices = "class"   // one of each class of device
)

// ofUser returns the user's gateway sessions but one, the newest last.
func (h *Handler) ofUser(user biz.UserID, but *session.Session) []*session.Session {
	all := slices.DeleteFunc(h.node.OfUser(string(user)), func(s *session.Session) bool {
		return s == but || lifeOf(s) == nil
	})
	slices.SortFunc(all, func(a, b *session.Session) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// supersede ends the sessions whose place a new one takes, with a code that tells them to stay away:
// two devices that took each other's place in turn would do it for ever.
func (h *Handler) supersede(s *session.Session, class string) {
	cfg := h.cfg.Load()
	others := h.ofUser(biz.UserID(s.User), s)
	tooMany := len(others) + 1 - cfg.MaxDevices
	for i, other := range others {
		same := s.Device != "" && other.Device == s.Device
		switch {
		case same, cfg.Devices == Replace:
		case cfg.Devices == Class && lifeOf(other).class == class:
		case cfg.Devices == Allow && i < tooMany:
		default:
			continue
		}
		h.metrics.replaced.Inc()
		h.node.End(other, transport.Superseded)
	}
}

// formerOf returns the session that a client without a ticket means when it comes back: of those of
// the same device the one that waits for its client, the newest of several; otherwise the newest.
func (h *Handler) formerOf(user biz.UserID, device string) *session.Session {
	var former *session.Session
	for _, s := range h.ofUser(user, nil) {
		if s.Device != device || former != nil && former.State() == session.Detached && s.State() != session.Detached {
			continue
		}
		former = s
	}
	return former
}
