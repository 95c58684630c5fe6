package hub

import (
	"slices"
	"sync"

	"github.com/game-im/hermod/internal/realtime/session"
)

// maxFormerIDs bounds how many sessions one goes on for: whoever comes back more often than that
// without being able to resume is known to services by a newer id.
const maxFormerIDs = 8

// heirs finds the session that goes on for one that has ended.
type heirs struct {
	mu     sync.RWMutex
	byID   map[string]*session.Session
	former map[*session.Session][]string // what each is found by, the oldest first
}

func (x *heirs) init() {
	x.byID = make(map[string]*session.Session)
	x.former = make(map[*session.Session][]string)
}

// Succeed makes next the successor of old, and of those that old goes on for. It is called before
// old is removed.
func (h *Hub) Succeed(old, next *session.Session) {
	h.heirs.add(old, next)
	if next.State() == session.Closed { // Remove may have been here already
		h.heirs.remove(next)
	}
}

func (x *heirs) add(old, next *session.Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	ids := append(slices.Clone(x.former[next]), append(x.former[old], old.ID)...)
	delete(x.former, old)
	x.nameLocked(next, ids)
}

// nameLocked has a session found by the last of ids.
func (x *heirs) nameLocked(next *session.Session, ids []string) {
	for len(ids) > maxFormerIDs {
		delete(x.byID, ids[0])
		ids = ids[1:]
	}
	for _, id := range ids {
		x.byID[id] = next
	}
	x.former[next] = ids
}

func (x *heirs) remove(s *session.Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range x.former[s] {
		delete(x.byID, id)
	}
	delete(x.former, s)
}

func (x *heirs) find(id string) *session.Session {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byID[id]
}
