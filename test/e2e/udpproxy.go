package e2e

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/test/proxy"
)

// forgetPath is how long a UDPProxy remembers a client that nothing is sent to.
const forgetPath = 20 * time.Second

// UDPProxy passes datagrams on to an address and loses or holds them back when told to, client by
// client. A client that comes from another port is a new one, to whom nothing was done.
type UDPProxy struct {
	Addr string

	target *net.UDPAddr
	conn   *net.UDPConn // what clients send to
	wg     sync.WaitGroup

	mu     sync.Mutex
	paths  []*udpPath // the oldest first
	closed bool
}

// udpPath is one client.
type udpPath struct {
	client netip.AddrPort
	server *net.UDPConn

	// Guarded by UDPProxy.mu.
	deaf, mute bool          // nothing comes to the client; nothing comes from it
	late       time.Duration // by how much everything comes later
}

// NewUDPProxy starts a proxy that lasts until the test ends.
func NewUDPProxy(t *testing.T, target string) *UDPProxy {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", target)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadBuffer(4 << 20) // as much as the system gives
	p := &UDPProxy{Addr: conn.LocalAddr().String(), target: to, conn: conn}
	p.wg.Go(p.fromClients)
	t.Cleanup(p.close)
	return p
}

func (p *UDPProxy) fromClients() {
	buf := make([]byte, 64<<10)
	for {
		n, client, err := p.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		path := p.pathOf(client)
		if path == nil {
			continue
		}
		p.pass(path, &path.mute, buf[:n], func(b []byte) { _, _ = path.server.Write(b) }) // networks lose things
	}
}

// pathOf returns the path of a client, which may be new; nil when there is none.
func (p *UDPProxy) pathOf(client netip.AddrPort) *udpPath {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.paths, func(path *udpPath) bool { return path.client == client }); i >= 0 {
		return p.paths[i]
	}
	if p.closed {
		return nil
	}
	server, err := net.DialUDP("udp", nil, p.target)
	if err != nil {
		return nil
	}
	path := &udpPath{client: client, server: server}
	p.paths = append(p.paths, path)
	p.wg.Go(func() { p.fromServer(path) })
	return path
}

func (p *UDPProxy) fromServer(path *udpPath) {
	buf := make([]byte, 64<<10)
	for {
		_ = path.server.SetReadDeadline(time.Now().Add(forgetPath)) // fails when it is closed
		n, err := path.server.Read(buf)
		if err != nil {
			break // nobody is there any more, on either side
		}
		p.pass(path, &path.deaf, buf[:n], func(b []byte) { _, _ = p.conn.WriteToUDPAddrPort(b, path.client) })
	}
	_ = path.server.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paths = slices.DeleteFunc(p.paths, func(other *udpPath) bool { return other == path })
}

// pass passes a datagram on, unless it is lost.
func (p *UDPProxy) pass(path *udpPath, lost *bool, b []byte, on func([]byte)) {
	p.mu.Lock()
	drop, late := *lost, path.late
	p.mu.Unlock()
	switch {
	case drop:
	case late > 0:
		b = slices.Clone(b)
		time.AfterFunc(late, func() { on(b) })
	default:
		on(b)
	}
}

// Strike does something to one of the present clients, which rng chooses, and tells whether there is
// one: it is cut off, or in one direction only, or what it sends and gets is held back for a while.
func (p *UDPProxy) Strike(rng *rand.Rand) (blow string, struck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.paths) == 0 {
		return "", false
	}
	path := p.paths[rng.IntN(len(p.paths))]
	switch rng.IntN(5) {
	case 0:
		blow, path.deaf = "udp deaf", true
	case 1:
		blow, path.mute = "udp mute", true
	case 2, 3:
		blow, path.late = "udp delayed", time.Duration(rng.Int64N(int64(proxy.LongestDelay)))
		time.AfterFunc(2*proxy.LongestDelay, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			path.late = 0
		})
	default:
		blow, path.deaf, path.mute = "udp cut", true, true
	}
	return blow, true
}

func (p *UDPProxy) close() {
	p.mu.Lock()
	p.closed = true
	for _, path := range p.paths {
		_ = path.server.Close()
	}
	p.mu.Unlock()
	_ = p.conn.Close()
	p.wg.Wait()
}
