package node

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/hub"
)

// forgetCounters is after how long a channel without publications begins with another epoch.
const forgetCounters = time.Hour

// sequencer numbers publications of channels that keep nothing, those that have their home on this node, and
// knows what this node has had others number.
type sequencer struct {
	mu       sync.Mutex
	counters map[string]*counter // by channel
	made     uint64              // counters, ever
	swept    time.Time
	claims   map[string]Claim // by the publication's ID
}

// counter is where a channel stands. Its lock is held while a publication goes to the broker, so that they go
// in the order of their numbers.
type counter struct {
	mu   sync.Mutex
	turn frame.Turn
	used time.Time
	gone bool
}

// Claim returns the session that sent a publication, and the reply to it. It is called at most once.
type Claim func() (origin string, reply *frame.Frame)

func (s *sequencer) init() {
	s.counters, s.claims, s.swept = make(map[string]*counter), make(map[string]Claim), time.Now()
}

// PublishInTurn numbers a publication as the home of its channel, delivers it to everybody, and returns its
// place. With an error the place is a gap.
func (n *Node) PublishInTurn(p *frame.Publication) (frame.Turn, error) {
	c := n.sequencer.counter(n.ID(), p.Channel)
	defer c.mu.Unlock()
	c.turn.Number++
	c.used = time.Now()
	p.Turn = c.turn
	return c.turn, n.broker.Publish(context.Background(), p)
}

// counter returns a channel's counter with its lock held.
func (s *sequencer) counter(self, channel string) *counter {
	for {
		s.mu.Lock()
		c := s.counters[channel]
		if c == nil {
			s.made++
			c = &counter{turn: frame.Turn{Epoch: self + "/" + strconv.FormatUint(s.made, 36)}}
			s.counters[channel] = c
		}
		s.mu.Unlock()
		c.mu.Lock()
		if !c.gone {
			return c
		}
		c.mu.Unlock()
	}
}

// LastTurn returns the last place that this node has given on a channel; the zero Turn is none.
func (n *Node) LastTurn(channel string) frame.Turn {
	n.sequencer.mu.Lock()
	c := n.sequencer.counters[channel]
	n.sequencer.mu.Unlock()
	if c == nil {
		return frame.Turn{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// Expect has the publication with this ID answer the session that sent it, when it comes back from its home. It
// is to be settled.
func (n *Node) Expect(id string, claim Claim) {
	n.sequencer.mu.Lock()
	defer n.sequencer.mu.Unlock()
	n.sequencer.claims[id] = claim
}

// SettleExpected ends that and tells whether the publication has arrived. One that has not, and whose place is known, is
// given here, and delivered on this node now; any other is nil.
func (n *Node) SettleExpected(id string, p *frame.Publication) (arrived bool) {
	s := &n.sequencer
	s.mu.Lock()
	claim := s.claims[id]
	if claim == nil || p == nil {
		delete(s.claims, id)
		s.mu.Unlock()
		return claim == nil
	}
	s.claims[id] = nil // so that what comes back meanwhile knows that it is late
	s.mu.Unlock()
	p.Origin, p.Reply = claim()
	n.hub.Deliver(p)
	s.mu.Lock()
	delete(s.claims, id)
	s.mu.Unlock()
	return true
}

// deliver takes a publication of the broker's.
func (n *Node) deliver(p *frame.Publication) {
	if p.ID == "" {
		n.hub.Deliver(p)
		return
	}
	s := &n.sequencer
	s.mu.Lock()
	claim, expected := s.claims[p.ID]
	if expected {
		s.claims[p.ID] = nil
	}
	s.mu.Unlock()
	switch {
	case claim != nil:
		mine := *p
		mine.Origin, mine.Reply = claim()
		n.hub.Deliver(&mine)
	case !expected:
		n.hub.Deliver(p)
	}
}

// NumberedBy names who knows how far the numbers of channels have come. It is called once, before anything is
// published.
func (n *Node) NumberedBy(t hub.Turns) { n.hub.NumberedBy(t) }

// sweep forgets counters that were not used for long.
func (s *sequencer) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.swept) < forgetCounters/60 {
		return
	}
	s.swept = now
	for channel, c := range s.counters {
		if !c.mu.TryLock() {
			continue // in use
		}
		if now.Sub(c.used) > forgetCounters {
			c.gone = true
			delete(s.counters, channel)
		}
		c.mu.Unlock()
	}
}
