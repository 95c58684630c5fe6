// Package proxy breaks TCP connections on purpose: it cuts, stalls, delays and half-closes them, as networks do.
// A Proxy can be told from any goroutine.
package proxy

import (
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Proxy passes TCP connections on to an address and breaks them when told to. Connections that come
// later are whole again.
type Proxy struct {
	Addr string

	target string
	lis    net.Listener
	wg     sync.WaitGroup

	mu      sync.Mutex
	changed sync.Cond
	links   []*link // the oldest first
	closed  bool
	silent  bool          // nothing gets through, on connections to come neither
	refuses bool          // connections to come are reset
	lag     time.Duration // how long what the server says is held back
}

// link is one connection, seen from both of its ends.
type link struct {
	client, server *net.TCPConn
	stalled, cut   bool // guarded by Proxy.mu
}

// New starts a proxy that lasts until the test ends.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: lis.Addr().String(), target: target, lis: lis}
	p.changed.L = &p.mu
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *Proxy) accept() {
	for {
		client, err := p.lis.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close() // the client finds out
		return
	}
	l := &link{client: client, server: server.(*net.TCPConn)}
	p.mu.Lock()
	late := p.closed || p.refuses
	if !late {
		l.stalled = p.silent
		p.links = append(p.links, l)
	}
	p.mu.Unlock()
	if late {
		abort(l.client)
		abort(l.server)
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pump(l, l.client, l.server) })
	both.Go(func() { p.pump(l, l.server, l.client) })
	both.Wait()
	p.mu.Lock()
	p.links = slices.DeleteFunc(p.links, func(other *link) bool { return other == l })
	p.mu.Unlock()
	abort(l.client)
	abort(l.server)
}

// pump passes bytes on until either end is gone. The end of one direction ends that direction.
func (p *Proxy) pump(l *link, from, to *net.TCPConn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !p.flows(l, from == l.server) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				abort(from)
				return
			}
		}
		if err != nil {
			_ = to.CloseWrite() // it may be gone already
			return
		}
	}
}

// flows waits while the connection is stalled, or what the server says is held back, and tells whether
// the connection still exists.
func (p *Proxy) flows(l *link, fromServer bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if came := time.Now(); fromServer && p.lag > 0 {
		wake := time.AfterFunc(p.lag, p.changed.Broadcast)
		defer wake.Stop()
		for time.Since(came) < p.lag && !l.cut {
			p.changed.Wait()
		}
	}
	for l.stalled && !l.cut {
		p.changed.Wait()
	}
	return !l.cut
}

// Silence lets nothing through any more, in either direction, on connections to come neither: they are
// made, and nothing is heard on them. It lasts until Restore; what is on its way then is lost, as
// the connections are.
func (p *Proxy) Silence() {
	p.set(func() { p.silent = true })
	p.Stall()
}

// Refuse resets all connections, and those to come, until Restore.
func (p *Proxy) Refuse() {
	p.set(func() { p.refuses = true })
	p.Cut()
}

// Lag holds back everything that the server says, until Restore.
func (p *Proxy) Lag(d time.Duration) { p.set(func() { p.lag = d }) }

// Restore ends Silence, Refuse and Lag. Connections that were silent stay so, as those do that a network has
// forgotten; new ones are whole.
func (p *Proxy) Restore() { p.set(func() { p.silent, p.refuses, p.lag = false, false, 0 }) }

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.changed.Broadcast()
}

// Cut resets all present connections at both ends.
func (p *Proxy) Cut() { p.each((*link).cutOff) }

// Stall lets nothing through on the present connections any more, in either direction, as a network
// does that loses everything. Both ends believe that the other one is there.
func (p *Proxy) Stall() { p.each((*link).stall) }

// HalfClose ends the direction from the clients to the server on the present connections.
func (p *Proxy) HalfClose() { p.each((*link).silenceClient) }

// Strike does something to one of the present connections, which rng chooses, and tells whether there
// is one: it is cut, stalled, for ever or for a while, or either of its directions ends.
func (p *Proxy) Strike(rng *rand.Rand) (blow string, struck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.links) == 0 {
		return "", false
	}
	l := p.links[rng.IntN(len(p.links))]
	switch rng.IntN(6) {
	case 0:
		blow = "stalled"
		l.stall()
	case 1:
		blow = "half-closed by the client"
		l.silenceClient()
	case 2:
		blow = "half-closed by the server"
		l.silenceServer()
	case 3, 4:
		blow = "delayed"
		l.stall()
		time.AfterFunc(time.Duration(rng.Int64N(int64(LongestDelay))), func() { p.release(l) })
	default:
		blow = "cut"
		l.cutOff()
	}
	p.changed.Broadcast()
	return blow, true
}

func (p *Proxy) each(do func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		do(l)
	}
	p.changed.Broadcast()
}

func (p *Proxy) close() {
	_ = p.lis.Close() // nobody else closes it
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
	p.wg.Wait()
}

func (p *Proxy) release(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.stalled = false
	p.changed.Broadcast()
}

// LongestDelay is how long a network may hold back what it then delivers.
const LongestDelay = 1500 * time.Millisecond

// The blows, with Proxy.mu held.

func (l *link) cutOff() {
	l.cut = true
	abort(l.client)
	abort(l.server)
}

func (l *link) stall() { l.stalled = true }

func (l *link) silenceClient() { _ = l.server.CloseWrite() } // it may be gone already

func (l *link) silenceServer() { _ = l.client.CloseWrite() } // it may be gone already

// abort closes with a reset, so that the other end notices at once.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0) // both fail on a connection that is closed
	_ = c.Close()
}
