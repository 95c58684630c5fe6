package cluster

import (
	"sync"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
)

const (
	// maxPeers bounds how many nodes are remembered, those that are gone included.
	maxPeers = 4096
	// forgetAfter is how long a node that is gone is remembered, so that what it said before it went and
	// what comes late brings it back for nobody.
	forgetAfter = time.Hour
	// returning is how much longer than this node others may take to find the engine again after an outage:
	// a pause between two tries, and a try.
	returning = 10 * time.Second
)

// members is who is there. Every node says hello now and then, with a number that grows; what repeats
// an old number says nothing. Who is silent for too long is gone until he says something new, and who
// said bye is gone for good.
type members struct {
	self    string
	expiry  time.Duration
	changed func(m broker.Member, here bool)

	order sync.Mutex // held over a change and its telling, outside mu
	mu    sync.Mutex
	peers map[string]*peer
}

type peer struct {
	broker.Member
	number uint64
	seen   time.Time
	here   bool
	left   bool // said bye
}

func newMembers(self string, expiry time.Duration) *members {
	return &members{self: self, expiry: expiry, changed: func(broker.Member, bool) {}, peers: make(map[string]*peer)}
}

// hello takes a node's word that it lives, and tells whether it is one that was not here.
func (ms *members) hello(m broker.Member, number uint64, now time.Time) (came bool) {
	if m.ID == ms.self {
		return false
	}
	ms.order.Lock()
	defer ms.order.Unlock()
	ms.mu.Lock()
	p := ms.peers[m.ID]
	if p == nil && len(ms.peers) < maxPeers {
		p = &peer{}
		ms.peers[m.ID] = p
	}
	if p == nil || p.left || number <= p.number {
		ms.mu.Unlock()
		return false
	}
	came = !p.here
	*p = peer{Member: m, number: number, seen: now, here: true}
	ms.mu.Unlock()
	if came {
		ms.changed(m, true)
	}
	return came
}

// bye takes a node's word that it leaves.
func (ms *members) bye(id string, now time.Time) (went bool) {
	if id == ms.self {
		return false
	}
	ms.order.Lock()
	defer ms.order.Unlock()
	ms.mu.Lock()
	p := ms.peers[id]
	if p == nil && len(ms.peers) < maxPeers {
		p = &peer{Member: broker.Member{ID: id}} // its hello may come behind
		ms.peers[id] = p
	}
	if p == nil {
		ms.mu.Unlock()
		return false
	}
	went = p.here
	p.here, p.left, p.seen = false, true, now
	m := p.Member
	ms.mu.Unlock()
	if went {
		ms.changed(m, false)
	}
	return went
}

// sweep declares gone who was silent for too long, and returns them.
func (ms *members) sweep(now time.Time) (gone []string) {
	ms.order.Lock()
	defer ms.order.Unlock()
	var left []broker.Member
	ms.mu.Lock()
	for id, p := range ms.peers {
		switch silent := now.Sub(p.seen); {
		case p.here && silent > ms.expiry:
			p.here = false
			left = append(left, p.Member)
			gone = append(gone, id)
		case !p.here && silent > forgetAfter:
			delete(ms.peers, id)
		}
	}
	ms.mu.Unlock()
	for _, m := range left {
		ms.changed(m, false)
	}
	return gone
}

// spare gives everybody returning and a whole expiry: after an outage of the engine nobody could be heard.
func (ms *members) spare(now time.Time) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for _, p := range ms.peers {
		if p.here {
			p.seen = now.Add(returning)
		}
	}
}

// list returns who is here.
func (ms *members) list() []broker.Member {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	all := make([]broker.Member, 0, len(ms.peers))
	for _, p := range ms.peers {
		if p.here {
			all = append(all, p.Member)
		}
	}
	return all
}
