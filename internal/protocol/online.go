package protocol

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
)

const (
	// onlineWithin bounds how long other nodes are waited for.
	onlineWithin = time.Second
	// onlineFor is how long their answers are good for.
	onlineFor = time.Second
	// maxOnlineUsers bounds how many users are asked for in one message, and maxOnlineKnown how many answers
	// are remembered.
	maxOnlineUsers = 2000
	maxOnlineKnown = 100_000
)

// online knows which users are online on other nodes. One question is under way at a time; what is to be
// known meanwhile is asked together behind it.
type online struct {
	node *node.Node

	mu     sync.Mutex
	idle   sync.Cond                // nobody asks
	asked  map[biz.UserID]struct{}  // what somebody asks for now; nil: nobody
	wanted map[biz.UserID]struct{}  // what the next one asks for
	known  map[biz.UserID]presentAt // what was answered
}

// presentAt is what is known of a user at a moment.
type presentAt struct {
	state presence.State
	asked time.Time
}

func (o *online) init(n *node.Node) {
	o.node, o.wanted, o.known = n, make(map[biz.UserID]struct{}), make(map[biz.UserID]presentAt)
	o.idle.L = &o.mu
	n.HandleApart(node.KindOnline, maxViews, o.answer)
}

// among returns where the users are elsewhere. It returns what is known when ctx ends.
func (o *online) among(ctx context.Context, users []biz.UserID) map[biz.UserID]presence.State {
	there := make(map[biz.UserID]presence.State, len(users))
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		missing := o.lookLocked(users, there)
		if !missing || ctx.Err() != nil {
			return there
		}
		if o.asked != nil {
			o.idle.Wait() // for onlineWithin at most
			continue
		}
		o.askLocked()
	}
}

// lookLocked puts what is known into there, and what is not into what is asked for next.
func (o *online) lookLocked(users []biz.UserID, there map[biz.UserID]presence.State) (missing bool) {
	now := time.Now()
	for _, u := range users {
		if at, ok := o.known[u]; ok && now.Sub(at.asked) < onlineFor {
			there[u] = at.state
			continue
		}
		if _, answered := there[u]; answered {
			continue // known a moment ago
		}
		if _, asked := o.asked[u]; !asked {
			o.wanted[u] = struct{}{}
		}
		missing = true
	}
	return missing
}

// askLocked asks for what is wanted, with the lock released. Whoever no node answers to be online is not.
func (o *online) askLocked() {
	users := make([]biz.UserID, 0, len(o.wanted))
	o.asked = make(map[biz.UserID]struct{}, len(o.wanted))
	for u := range o.wanted {
		if len(users) == maxOnlineUsers {
			break
		}
		users = append(users, u)
		o.asked[u] = struct{}{}
		delete(o.wanted, u)
	}
	o.mu.Unlock()
	found := o.ask(users)
	o.mu.Lock()
	now := time.Now()
	if len(o.known)+len(users) > maxOnlineKnown {
		clear(o.known)
	}
	for _, u := range users {
		o.known[u] = presentAt{found[u], now}
	}
	o.asked = nil
	o.idle.Broadcast()
}

func (o *online) ask(users []biz.UserID) (found map[biz.UserID]presence.State) {
	ctx, cancel := context.WithTimeout(context.Background(), onlineWithin) // it is not asked for one caller alone
	defer cancel()
	q := &wire.OnlineRequest{Users: make([]string, len(users))}
	for i, u := range users {
		q.Users[i] = string(u)
	}
	found = make(map[biz.UserID]presence.State)
	online := 0
	_ = askEverybody(ctx, o.node, node.KindOnline, marshal(q), func(a broker.Answer) (ok, more bool) {
		var answer wire.OnlineAnswer
		if proto.Unmarshal(a.Body, &answer) != nil {
			return false, true
		}
		there := make(map[int32]presence.State, len(answer.GetOnline()))
		for _, i := range answer.GetOnline() {
			if i >= 0 && int(i) < len(users) {
				there[i] = presence.Online
			}
		}
		for _, i := range answer.GetAway() {
			if _, ok := there[i]; ok {
				there[i] = presence.Away
			}
		}
		for i, state := range there {
			if user := users[i]; state > found[user] {
				found[user] = state
				if state == presence.Online {
					online++
				}
			}
		}
		return true, online < len(users)
	}) // nobody is online on a node that says nothing
	return found
}

func (o *online) answer(r broker.Request) {
	var q wire.OnlineRequest
	if proto.Unmarshal(r.Body, &q) != nil {
		return
	}
	var answer wire.OnlineAnswer
	for i, u := range q.GetUsers() {
		switch o.node.Presence().State(u) {
		case presence.Away:
			answer.Away = append(answer.Away, int32(i))
			fallthrough // for nodes that know nothing of being away
		case presence.Online:
			answer.Online = append(answer.Online, int32(i))
		}
	}
	r.Answer(marshal(&answer))
}
