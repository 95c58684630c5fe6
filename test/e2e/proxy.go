package e2e

import (
	"net"
	"sync"
	"testing"
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
	links   map[*link]struct{}
	closed  bool
}

// link is one connection, seen from both of its ends.
type link struct {
	client, server *net.TCPConn
	stalled, cut   bool // guarded by Proxy.mu
}

// NewProxy starts a proxy that lasts until the test ends.
func NewProxy(t *testing.T, target string) *Proxy {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: lis.Addr().String(), target: target, lis: lis, links: map[*link]struct{}{}}
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
	late := p.closed
	if !late {
		p.links[l] = struct{}{}
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
	delete(p.links, l)
	p.mu.Unlock()
	abort(l.client)
	abort(l.server)
}

// pump passes bytes on until either end is gone. The end of one direction ends that direction.
func (p *Proxy) pump(l *link, from, to *net.TCPConn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !p.flows(l) {
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

// flows waits while the connection is stalled and tells whether it still exists.
func (p *Proxy) flows(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l.stalled && !l.cut {
		p.changed.Wait()
	}
	return !l.cut
}

// Cut resets all present connections at both ends.
func (p *Proxy) Cut() {
	p.each(func(l *link) {
		l.cut = true
		abort(l.client)
		abort(l.server)
	})
}

// Stall lets nothing through on the present connections any more, in either direction, as a network
// does that loses everything. Both ends believe that the other one is there.
func (p *Proxy) Stall() { p.each(func(l *link) { l.stalled = true }) }

// HalfClose ends the direction from the clients to the server on the present connections.
func (p *Proxy) HalfClose() {
	p.each(func(l *link) { _ = l.server.CloseWrite() }) // it may be gone already
}

func (p *Proxy) each(do func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
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

// abort closes with a reset, so that the other end notices at once.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0) // both fail on a connection that is closed
	_ = c.Close()
}
