package cluster

import (
	"sync"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// headTimes is how often the head of a channel is told after the last publication on it.
const headTimes = 3

// heads are the channels on whose logs this node has published lately, and how far those reach: told again
// with a slow tick, so that a last publication that was lost is found although nothing comes behind it.
type heads struct {
	mu     sync.Mutex
	recent map[string]head
}

type head struct {
	seq  int64
	turn frame.Turn // on a channel that keeps nothing
	left int        // ticks that it is told in yet
}

func newHeads() *heads { return &heads{recent: make(map[string]head)} }

// note takes a publication that is being sent.
func (h *heads) note(channel string, seq int64, turn frame.Turn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recent[channel] = head{seq: max(seq, h.recent[channel].seq), turn: turn, left: headTimes}
}

// tick returns what is to be told now.
func (h *heads) tick() map[string]head {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.recent) == 0 {
		return nil
	}
	tell := make(map[string]head, len(h.recent))
	for channel, r := range h.recent {
		tell[channel] = r
		if r.left--; r.left == 0 {
			delete(h.recent, channel)
			continue
		}
		h.recent[channel] = r
	}
	return tell
}

// tellHeads sends the heads, as publications that tell only how far the log reaches.
func (b *Broker) tellHeads() {
	tell := b.heads.tick()
	if len(b.members.list()) == 0 {
		return
	}
	for channel, h := range tell {
		e := envelope{kind: kindPublication, node: b.opt.Self.ID, channel: channel, seq: h.seq, turn: h.turn}
		if !b.out.push(Message{Subject: b.subject(channel), Data: e.marshal()}, channel) {
			b.metrics.dropped("outbox", 1)
		}
	}
}

// died takes word that nodes are gone without having said so: what they had stored and not published yet
// nobody else will tell.
func (b *Broker) died(nodes []string) {
	for _, id := range nodes {
		b.asks.gone(id)
	}
	if len(nodes) > 0 {
		b.missed("")
	}
}
