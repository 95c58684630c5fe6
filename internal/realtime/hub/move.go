package hub

import (
	"slices"

	"github.com/game-im/hermod/internal/realtime/session"
)

// Names returns the older ids by which a session is found.
func (h *Hub) Names(s *session.Session) []string { return h.heirs.names(s) }

// Name has a session found by older ids, too.
func (h *Hub) Name(s *session.Session, ids ...string) {
	h.heirs.name(s, ids)
	if s.State() == session.Closed { // Remove may have been here already
		h.heirs.remove(s)
	}
}

// Place puts a subscription of a restored session, which nobody knows yet, on its channel. What was published while the
// session was on no node is read from the log; where there is none, the session is told that something may be missing.
func (h *Hub) Place(sub *session.Subscription) {
	ch := h.acquire(sub.Name)
	defer ch.mu.Unlock()
	ch.spreadLocked() // what was published before is not for this one
	sub.Put(ch)
	if turns := h.readers.turns; turns != nil && !sub.Logged() {
		sub.Session.Reply(turns.Gap(ch.name))
		if ch.turns == nil {
			ch.askTurnLocked() // what comes first may be lost
		}
	}
	ch.addLocked(sub)
}

func (x *heirs) names(s *session.Session) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.former[s])
}

func (x *heirs) name(s *session.Session, more []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.nameLocked(s, slices.Concat(x.former[s], more))
}
