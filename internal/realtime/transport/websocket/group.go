package websocket

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// Options bound the connections of a Group.
type Options struct {
	MaxMessage  int           // bytes of an inbound message, its fragments together
	PingAfter   time.Duration // silence after which a client is pinged
	PingTimeout time.Duration // how long it may then stay silent
}

// ticks is how finely the silence of clients is measured: a time of PingAfter or more, and at most a
// part longer.
const ticks = 4

// Group is all connections of a listener. All methods are safe for concurrent use.
type Group struct {
	options Options
	now     atomic.Uint32 // in ticks, which is all that reading has to note
	watcher watcher       // of those at rest

	mu       sync.Mutex
	conns    map[*Conn]struct{}
	opening  int // requests that are being upgraded
	stopping bool
	empty    chan struct{} // closed when the last one is gone, after Stop
}

// NewGroup returns a Group without connections.
func NewGroup(o Options) *Group {
	return &Group{options: o, conns: map[*Conn]struct{}{}, empty: make(chan struct{})}
}

// Run pings clients that are silent, and closes the connections of those that do not answer, until
// ctx ends. Without it, connections that are lost without a word stay.
func (g *Group) Run(ctx context.Context) {
	tick := time.NewTicker(g.tick())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.now.Add(1)
			g.sweep()
		}
	}
}

func (g *Group) tick() time.Duration { return max(g.options.PingAfter/ticks, time.Millisecond) }

func (g *Group) sweep() {
	now := g.now.Load()
	patience := uint32((g.options.PingTimeout + g.tick() - 1) / g.tick())
	for _, c := range g.all() {
		switch silent := now - c.heard.Load(); {
		case silent <= ticks:
			c.asked = false
		case c.asked && silent > ticks+patience:
			c.Close(transport.ConnLost.Because("the client did not answer a ping"))
		case !c.asked:
			c.asked = true
			if c.ping() != nil {
				c.Close(transport.ConnLost)
			}
		}
	}
}

func (g *Group) all() []*Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*Conn, 0, len(g.conns))
	for c := range g.conns {
		all = append(all, c)
	}
	return all
}

// Len returns how many connections there are.
func (g *Group) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// enter announces a connection, or is false when the group is stopping and takes nobody in.
func (g *Group) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return false
	}
	g.opening++
	return true
}

// add follows enter, with nil when there is no connection after all.
func (g *Group) add(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opening--
	if c != nil {
		g.conns[c] = struct{}{}
		if g.stopping {
			c.Close(transport.Shutdown)
		}
	}
	g.settleLocked()
}

func (g *Group) remove(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	g.settleLocked()
}

func (g *Group) settleLocked() {
	if !g.stopping || len(g.conns)+g.opening > 0 {
		return
	}
	select {
	case <-g.empty:
	default:
		close(g.empty)
	}
}

// Stop lets nobody in any more, closes all connections and returns when those that serve them have
// finished. At the end of ctx it closes what is left by force and returns its error.
func (g *Group) Stop(ctx context.Context) error {
	g.mu.Lock()
	g.stopping = true
	g.settleLocked()
	g.mu.Unlock()
	defer g.watcher.stop()
	for _, c := range g.all() {
		c.Close(transport.Shutdown)
	}
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
	}
	for _, c := range g.all() {
		_ = c.net.Close() // by force
	}
	return ctx.Err()
}
