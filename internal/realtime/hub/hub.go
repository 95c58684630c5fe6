// Package hub indexes the sessions of one node and the channels that they follow, and fans
// publications out to them. It is split into shards with a lock each, none of which is held while
// anything is written or read. All methods are safe for concurrent use.
package hub

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

const shards = 64 // a power of two, well above the number of processors

// Waker hands sessions with something to write to the goroutines that write.
type Waker interface {
	Wake(sessions ...*session.Session)
	// Fan has a channel spread what waits, once, when its turn comes.
	Fan(f session.Fanout)
}

// Hub is the index of one node.
type Hub struct {
	waker    Waker
	readers  *readers
	seed     maphash.Seed
	channels [shards]channelShard
	sessions index[string]
	users    multi[string]
	gids     multi[int64]
	heirs    heirs
}

type channelShard struct {
	mu     sync.RWMutex
	byName map[string]*channel
}

// New returns an empty hub.
func New(waker Waker, logger *slog.Logger) *Hub {
	h := &Hub{waker: waker, readers: newReaders(logger), seed: maphash.MakeSeed()}
	for i := range h.channels {
		h.channels[i].byName = make(map[string]*channel)
	}
	h.sessions.m = make(map[string]*session.Session)
	h.users.m = make(map[string][]*session.Session)
	h.heirs.init()
	h.gids.m = make(map[int64][]*session.Session)
	return h
}

// ReadFrom has the hub put the channels that a log keeps into its order: once for all of their sessions,
// and what does not come is read from there. It is called before anybody subscribes; without it each
// session cares for itself.
func (h *Hub) ReadFrom(log Log) {
	h.readers.log = log
	h.readers.heads, _ = log.(Heads)
}

// NumberedBy has the hub put what is numbered, and not kept, in that order. It is called before anybody
// subscribes.
func (h *Hub) NumberedBy(t Turns) { h.readers.turns = t }

// Run reads what channels miss, until ctx ends.
func (h *Hub) Run(ctx context.Context) error { return h.readers.run(ctx) }

// Subscribe puts a session on a channel, behind everything up to after in the channel's log. The
// caller starts the subscription once publications of the channel reach this node. It is nil when
// the session has ended or follows the channel already.
func (h *Hub) Subscribe(s *session.Session, name string, source session.Source, after int64) *session.Subscription {
	ch := h.acquire(name)
	defer ch.mu.Unlock()
	ch.spreadLocked() // what was published before is not for this one
	sub := session.NewSubscription(s, name, ch, source, after)
	if !s.Add(sub) {
		h.dropIfEmpty(ch)
		return nil
	}
	ch.addLocked(sub)
	if source == nil && ch.turns == nil {
		ch.askTurnLocked() // what comes first may be lost
	}
	return sub
}

// acquire returns a channel, made if need be, with its lock held.
func (h *Hub) acquire(name string) *channel {
	shard := h.shard(name)
	for {
		shard.mu.Lock()
		ch := shard.byName[name]
		if ch == nil {
			ch = &channel{name: name, waker: h.waker, readers: h.readers}
			ch.kept = h.readers.log != nil && h.readers.log.Keeps(name)
			shard.byName[name] = ch
		}
		shard.mu.Unlock()
		ch.mu.Lock()
		if !ch.gone {
			return ch
		}
		ch.mu.Unlock() // its last subscriber left in between
	}
}

// Unsubscribe takes a session off a channel and tells whether it was on it. What was published before
// reaches it yet.
func (h *Hub) Unsubscribe(s *session.Session, name string) bool {
	h.SpreadOn(name)
	sub := s.Remove(name)
	if sub == nil {
		return false
	}
	h.drop(sub)
	return true
}

// SpreadOn spreads what waits in one channel.
func (h *Hub) SpreadOn(name string) {
	if ch := h.find(name); ch != nil {
		ch.Spread()
	}
}

// Followed tells whether anybody follows a channel.
func (h *Hub) Followed(name string) bool { return h.find(name) != nil }

// drop takes a subscription off its channel.
func (h *Hub) drop(sub *session.Subscription) {
	ch := h.find(sub.Name)
	if ch == nil {
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if sub.Index >= len(ch.subs) || ch.subs[sub.Index] != sub {
		return
	}
	ch.spreadLocked()
	ch.removeLocked(sub)
	h.dropIfEmpty(ch)
}

func (h *Hub) dropIfEmpty(ch *channel) {
	if len(ch.subs) > 0 || ch.gone {
		return
	}
	ch.gone = true
	ch.abandonLocked()
	// Never the other way round: acquire lets go of the shard before it takes the channel.
	shard := h.shard(ch.name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	delete(shard.byName, ch.name)
}

// Deliver fans a publication out to the sessions on its channel. Publications of one channel are
// delivered one after another: on a channel with few sessions before Deliver returns, on one with many
// when the turn of the channel comes. The reply to the session that sent it goes out even if that
// session does not follow the channel.
func (h *Hub) Deliver(p *frame.Publication) {
	d := session.Delivery{Publication: p}
	if p.Origin != "" {
		d.By = h.Session(p.Origin)
	}
	if ch := h.find(p.Channel); ch != nil {
		ch.deliver(d)
		return
	}
	reply(&d)
}

// DeliverAll does what Deliver does, for publications of one channel in their order: each session gets them at once.
func (h *Hub) DeliverAll(ps []*frame.Publication) {
	ds := make([]session.Delivery, len(ps))
	for i, p := range ps {
		ds[i].Publication = p
		if p.Origin != "" {
			ds[i].By = h.Session(p.Origin)
		}
	}
	if ch := h.find(ps[0].Channel); ch != nil {
		ch.deliverAll(ds)
		return
	}
	replyAll(ds)
}

// reply answers the session that sent a publication, unless it got it.
func reply(d *session.Delivery) {
	if d.By != nil && !d.Replied && d.By.Replies && d.Reply != nil {
		d.By.Reply(d.Reply)
	}
}

// Spread spreads what waits in every channel.
func (h *Hub) Spread() {
	for i := range h.channels {
		for _, ch := range h.channels[i].crowded() {
			ch.Spread()
		}
	}
}

// crowded returns the channels in which something may wait.
func (shard *channelShard) crowded() (all []*channel) {
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	for _, ch := range shard.byName {
		if ch.line.Load() != nil {
			all = append(all, ch)
		}
	}
	return all
}

func (h *Hub) find(name string) *channel {
	shard := h.shard(name)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.byName[name]
}

func (h *Hub) shard(name string) *channelShard {
	return &h.channels[maphash.String(h.seed, name)%shards]
}

// Channels counts the channels that have subscribers.
func (h *Hub) Channels() (n int) {
	for i := range h.channels {
		h.channels[i].mu.RLock()
		n += len(h.channels[i].byName)
		h.channels[i].mu.RUnlock()
	}
	return n
}
