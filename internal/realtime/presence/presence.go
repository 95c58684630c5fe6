// Package presence tells who is online on a node. Who ends his last session is offline at once;
// who loses the connection stays online for a grace window, so that a short outage is not seen by
// others. All methods are safe for concurrent use.
package presence

import (
	"sync"
	"time"
)

// Tracker counts the sessions of each user.
type Tracker struct {
	grace time.Duration
	mu    sync.RWMutex
	users map[string]entry
}

type entry struct {
	sessions int
	until    time.Time // with no session: online until then
}

// New returns a tracker with a grace window for lost connections.
func New(grace time.Duration) *Tracker {
	return &Tracker{grace: grace, users: make(map[string]entry)}
}

// Arrive notes a session of the user.
func (t *Tracker) Arrive(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.users[user]
	e.sessions++
	t.users[user] = e
}

// Depart notes the end of one; clean means that the user meant it.
func (t *Tracker) Depart(user string, clean bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.users[user]
	e.sessions--
	switch {
	case e.sessions > 0:
	case clean || t.grace == 0:
		delete(t.users, user)
		return
	default:
		e.until = time.Now().Add(t.grace)
	}
	t.users[user] = e
}

// Online tells whether the user is online.
func (t *Tracker) Online(user string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e, ok := t.users[user]
	return ok && (e.sessions > 0 || time.Now().Before(e.until))
}

// Sweep forgets users whose grace window is over. Online does not depend on it.
func (t *Tracker) Sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for user, e := range t.users {
		if e.sessions <= 0 && now.After(e.until) {
			delete(t.users, user)
		}
	}
}
