package gateway

import (
	"sync"

	"github.com/game-im/hermod/internal/biz"
)

// turns lets those who open a session for one user do it one after another, however long that takes: other
// nodes may be asked meanwhile. The zero value is ready.
type turns struct {
	mu    sync.Mutex
	users map[biz.UserID]*turn
}

type turn struct {
	mu  sync.Mutex
	who int // has it, or waits
}

// take waits for the user's turn, which ends with done.
func (t *turns) take(user biz.UserID) (done func()) {
	t.mu.Lock()
	if t.users == nil {
		t.users = make(map[biz.UserID]*turn)
	}
	u := t.users[user]
	if u == nil {
		u = &turn{}
		t.users[user] = u
	}
	u.who++
	t.mu.Unlock()
	u.mu.Lock()
	return func() {
		u.mu.Unlock()
		t.mu.Lock()
		defer t.mu.Unlock()
		if u.who--; u.who == 0 {
			delete(t.users, user)
		}
	}
}
