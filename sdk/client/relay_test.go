package client

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Relay passes TCP connections on to a server until they are cut, as networks do.
type Relay struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	conns map[net.Conn]bool
	done  sync.WaitGroup
}

// NewRelay returns a relay to the server at addr that works until the test ends.
func NewRelay(t *testing.T, addr string) *Relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{listener: listener, to: addr, conns: map[net.Conn]bool{}}
	r.done.Go(r.accept)
	t.Cleanup(func() {
		listener.Close()
		r.Cut()
		r.done.Wait()
	})
	return r
}

// Addr is where clients connect to.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Cut breaks all connections; new ones are accepted.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.conns {
		conn.Close()
	}
}

func (r *Relay) accept() {
	for {
		from, err := r.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", r.to)
		if err != nil {
			from.Close()
			continue
		}
		r.done.Go(func() { r.pass(from, to) })
		r.done.Go(func() { r.pass(to, from) })
	}
}

func (r *Relay) pass(from, to net.Conn) {
	r.mu.Lock()
	r.conns[from] = true
	r.mu.Unlock()
	_, _ = io.Copy(to, from)
	from.Close()
	to.Close()
	r.mu.Lock()
	delete(r.conns, from)
	r.mu.Unlock()
}
