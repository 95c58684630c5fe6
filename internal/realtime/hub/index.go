package hub

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/game-im/hermod/internal/realtime/session"
)

// index finds one session by a key.
type index[K comparable] struct {
	mu  sync.RWMutex
	m   map[K]*session.Session
	all atomic.Pointer[[]*session.Session] // what is in m; nil: that has changed since
}

func (x *index[K]) add(k K, s *session.Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.m[k] = s
	x.all.Store(nil)
}

func (x *index[K]) remove(k K) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.m, k)
	x.all.Store(nil)
}

// list returns what is in the index, the same list until that changes.
func (x *index[K]) list() []*session.Session {
	if all := x.all.Load(); all != nil {
		return *all
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := slices.AppendSeq(make([]*session.Session, 0, len(x.m)), maps.Values(x.m))
	x.all.Store(&all)
	return all
}

// multi finds the sessions that share a key.
type multi[K comparable] struct {
	mu sync.RWMutex
	m  map[K][]*session.Session
}

func (x *multi[K]) add(k K, s *session.Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.m[k] = append(x.m[k], s)
}

func (x *multi[K]) remove(k K, s *session.Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := x.m[k]
	if i := slices.Index(list, s); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if len(list) == 0 {
		delete(x.m, k)
		return
	}
	x.m[k] = list
}

func (x *multi[K]) find(k K) []*session.Session {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.m[k])
}

// Add makes a session known.
func (h *Hub) Add(s *session.Session) {
	h.sessions.add(s.ID, s)
	h.users.add(s.User, s)
	if gid := s.CurrentGID(); gid != 0 {
		h.gids.add(gid, s)
	}
}

// Remove forgets a session that was closed and takes its subscriptions off their channels.
func (h *Hub) Remove(s *session.Session, subs []*session.Subscription) {
	h.sessions.remove(s.ID)
	h.users.remove(s.User, s)
	if gid := s.CurrentGID(); gid != 0 {
		h.gids.remove(gid, s)
	}
	h.heirs.remove(s)
	for _, sub := range subs {
		h.drop(sub)
	}
}

// Assign gives a session that is known another gid, 0: none, and returns the one that it had.
func (h *Hub) Assign(s *session.Session, gid int64) (old int64) {
	old = s.SetGID(gid)
	if old == gid {
		return old
	}
	if old != 0 {
		h.gids.remove(old, s)
	}
	if gid == 0 {
		return old
	}
	h.gids.add(gid, s)
	if s.State() == session.Closed { // Remove may have been here already
		h.gids.remove(gid, s)
	}
	return old
}

// Session returns a session by its id, or the successor of the one that had it, or nil.
func (h *Hub) Session(id string) *session.Session {
	h.sessions.mu.RLock()
	s := h.sessions.m[id]
	h.sessions.mu.RUnlock()
	if s == nil {
		s = h.heirs.find(id)
	}
	return s
}

// OfUser returns the user's sessions.
func (h *Hub) OfUser(user string) []*session.Session { return h.users.find(user) }

// OfGID returns the sessions of a gid.
func (h *Hub) OfGID(gid int64) []*session.Session { return h.gids.find(gid) }

// Len counts the sessions.
func (h *Hub) Len() int {
	h.sessions.mu.RLock()
	defer h.sessions.mu.RUnlock()
	return len(h.sessions.m)
}

// All returns every session at this moment. The list is shared: nobody may change it.
func (h *Hub) All() []*session.Session { return h.sessions.list() }
