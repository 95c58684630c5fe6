// Package presence tells who is online on a node. Who ends his last session is offline at once;
// who loses the connection stays online for a grace window, so that a short outage is not seen by
// others. All methods are safe for concurrent use.
package presence

import (
	"sync"
	"time"
)

// State is whether a user is there.
type State uint8

// The states, from least to most: of several nodes the highest counts.
const (
	Offline State = iota
	Away          // he has sessions, and all of them say that he does not look
	Online
)

// Tracker counts the sessions of each user.
type Tracker struct {
	grace   time.Duration
	changed func(user string, now State)

	mu    sync.RWMutex
	users map[string]entry
}

type entry struct {
	sessions int32
	away     int32     // of these
	until    time.Time // with no session: there until then
	wasAway  bool      // then: the last session said that he is away
}

func (e *entry) state(now time.Time) State {
	switch {
	case e.sessions <= 0 && !now.Before(e.until):
		return Offline
	case e.sessions > 0 && e.away >= e.sessions, e.sessions <= 0 && e.wasAway:
		return Away
	}
	return Online
}

// New returns a tracker with a grace window for lost connections.
func New(grace time.Duration) *Tracker {
	return &Tracker{grace: grace, users: make(map[string]entry), changed: func(string, State) {}}
}

// OnChange has told called when a user is in another state. Calls for one user may overtake each other, so that
// State is what counts. It is called before any other method; told must not block, and may use the tracker.
func (t *Tracker) OnChange(told func(user string, now State)) { t.changed = told }

// Arrive notes a session of the user.
func (t *Tracker) Arrive(user string) {
	t.change(user, func(e *entry) { e.sessions++ })
}

// Depart notes the end of one, which said that the user was away or did not; clean means that the user meant it.
func (t *Tracker) Depart(user string, away, clean bool) {
	t.change(user, func(e *entry) {
		e.sessions--
		if e.wasAway = away; away {
			e.away--
		}
		if e.until = (time.Time{}); e.sessions <= 0 && !clean && t.grace > 0 {
			e.until = time.Now().Add(t.grace)
		}
	})
}

// Look notes that one of the user's sessions says that he looks, or that he does not.
func (t *Tracker) Look(user string, looks bool) {
	t.change(user, func(e *entry) {
		if looks {
			e.away--
		} else {
			e.away++
		}
	})
}

func (t *Tracker) change(user string, how func(*entry)) {
	t.mu.Lock()
	e := t.users[user]
	now := time.Now()
	before := e.state(now)
	how(&e)
	after := e.state(now)
	if after == Offline {
		delete(t.users, user)
	} else {
		t.users[user] = e
	}
	t.mu.Unlock()
	if before != after {
		t.changed(user, after)
	}
}

// Online tells whether the user is online, looking or not.
func (t *Tracker) Online(user string) bool { return t.State(user) != Offline }

// State tells whether the user is there.
func (t *Tracker) State(user string) State {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e, ok := t.users[user]
	if !ok {
		return Offline
	}
	return e.state(time.Now())
}

// Each calls do for each user who has sessions, in no order, until it returns false.
func (t *Tracker) Each(do func(user string) (more bool)) {
	t.mu.RLock()
	users := make([]string, 0, len(t.users))
	for user, e := range t.users {
		if e.sessions > 0 {
			users = append(users, user)
		}
	}
	t.mu.RUnlock()
	for _, user := range users {
		if !do(user) {
			return
		}
	}
}

// Sweep forgets users whose grace window is over. Online does not depend on it, but OnChange does.
func (t *Tracker) Sweep(now time.Time) {
	var gone []string
	t.mu.Lock()
	for user, e := range t.users {
		if e.sessions <= 0 && now.After(e.until) {
			delete(t.users, user)
			gone = append(gone, user)
		}
	}
	t.mu.Unlock()
	for _, user := range gone {
		t.changed(user, Offline)
	}
}
