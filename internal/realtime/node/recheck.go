package node

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/realtime/session"
)

// What other nodes say of a user may be lost. Then the users of this node are looked at again: so many at a
// time, at this pace, and with a pause before everybody is looked at once more. A node with n users is
// through n/1000 s after it was told that it has missed something, and recheckPause later at most.
const (
	recheckWorkers = 8
	recheckBatch   = 100
	recheckEvery   = 100 * time.Millisecond
	recheckPause   = 2 * time.Second
)

// Check makes up for what other nodes have said of a user, and may not have been heard. Those are his
// sessions here. It may take seconds, and is called by several goroutines for different users.
type Check func(ctx context.Context, user string, here []*session.Session)

// recheck is whom to look at again.
type recheck struct {
	checks []Check
	wake   chan struct{} // holds one

	mu    sync.Mutex
	all   bool
	users map[string]struct{}
}

func (r *recheck) init() { r.wake = make(chan struct{}, 1) }

// Recheck has a check made of the users that have sessions here, whenever something may have been missed that
// other nodes said of them. It is called before Run.
func (n *Node) Recheck(c Check) { n.recheck.checks = append(n.recheck.checks, c) }

// LookAgain has the checks made of a user, soon.
func (n *Node) LookAgain(user string) {
	if user != "" {
		n.recheck.add(user)
	}
}

// missed takes word that something did not come.
func (n *Node) missed(channel string) {
	for _, told := range n.onMissed { // first: what is read then is to be new
		told(channel)
	}
	n.hub.Missed(channel)
	user, of := strings.CutPrefix(channel, userPrefix)
	if of || channel == "" {
		n.recheck.add(user)
	}
}

// add notes a user, or everybody.
func (r *recheck) add(user string) {
	r.mu.Lock()
	if user == "" {
		r.all = true
	} else {
		if r.users == nil {
			r.users = make(map[string]struct{})
		}
		r.users[user] = struct{}{}
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take returns whom to look at.
func (r *recheck) take() (users map[string]struct{}, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	users, all = r.users, r.all
	r.users, r.all = nil, false
	return users, all
}

func (n *Node) runRecheck(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.recheck.wake:
		}
		if len(n.recheck.checks) == 0 {
			continue
		}
		users, all := n.recheck.take()
		if all {
			users = n.users()
		}
		n.recheckUsers(ctx, users)
		if all {
			wait(ctx, nil, recheckPause)
		}
	}
}

// users returns those that have a session here.
func (n *Node) users() map[string]struct{} {
	users := make(map[string]struct{})
	for _, s := range n.hub.All() {
		users[s.User] = struct{}{}
	}
	return users
}

func (n *Node) recheckUsers(ctx context.Context, users map[string]struct{}) {
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, recheckWorkers)
	k := 0
	for user := range users {
		if k++; k%recheckBatch == 0 {
			wait(ctx, nil, recheckEvery)
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-places }()
			n.recheckUser(ctx, user)
		})
	}
}

func (n *Node) recheckUser(ctx context.Context, user string) {
	here := n.hub.OfUser(user)
	if len(here) == 0 {
		return
	}
	for _, check := range n.recheck.checks {
		check(ctx, user, here)
	}
}
