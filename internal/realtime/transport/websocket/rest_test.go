package websocket_test

import (
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
	"github.com/game-im/hermod/internal/realtime/transport/websocket"
)

// rested is a connection that rests whenever it may.
type rested struct {
	*websocket.Conn
	woken chan struct{}
}

func (c rested) Serve() { c.woken <- struct{}{} }

func (c rested) Read() ([]byte, error) {
	for {
		if c.Resting() {
			c.Rest(c)
			<-c.woken
		}
		if data, quiet, err := c.Next(); !quiet {
			return data, err
		}
	}
}

func asIs(h transporttest.Handler) transporttest.Handler { return h }

func restful(h transporttest.Handler) transporttest.Handler {
	return func(c transport.Conn) error { return h(rested{c.(*websocket.Conn), make(chan struct{}, 1)}) }
}

// reading is a connection that is at rest without a goroutine, as a node has it.
type reading struct {
	conn *websocket.Conn
	got  func(data []byte)
	end  func(err error)
}

func (r *reading) Serve() {
	for {
		data, quiet, err := r.conn.Next()
		if err != nil {
			r.end(err)
			return
		}
		if !quiet {
			r.got(data)
		}
		if r.conn.Resting() {
			r.conn.Rest(r)
			return
		}
	}
}

// echoed is a handler that lets go of its goroutine: what it starts answers every message.
func echoed(t *testing.T, ends *sync.WaitGroup) func(*websocket.Conn) {
	return func(c *websocket.Conn) {
		ends.Add(1)
		r := &reading{conn: c}
		r.got = func(data []byte) {
			if err := c.Write(transporttest.Frames(t, 0, string(data))); err != nil {
				c.Close(transport.ConnLost)
			}
		}
		r.end = func(error) {
			c.Finish(transport.Ended)
			ends.Done()
		}
		r.Serve()
	}
}

// TestClientsAtRestHaveNoGoroutine lets many clients speak, be silent, be pinged and speak again.
func TestClientsAtRestHaveNoGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not tell of many connections at once")
	}
	const clients = 200
	var ends sync.WaitGroup
	patient := options
	patient.PingTimeout = time.Minute
	s := serveRaw(t, patient, false, echoed(t, &ends))
	var peers []*peer
	for range clients {
		peers = append(peers, s.dial(t, false))
	}
	before := runtime.NumGoroutine() - clients // those that wait for the first word
	for round := range 3 {
		for i, p := range peers {
			want := strconv.Itoa(round*clients + i)
			if err := p.Send(want); err != nil {
				t.Fatal(err)
			}
			if got, err := p.Recv(); err != nil || got != want {
				t.Fatalf("%q, %v; want %q", got, err, want)
			}
		}
		eventually(t, "no goroutine for each client", func() bool { return runtime.NumGoroutine() < before+clients/4 })
	}
	for _, p := range peers {
		p.Cut()
	}
	ends.Wait()
	eventually(t, "nobody is left", func() bool { return s.group.Len() == 0 })
}

// TestAClientAtRestIsToldWhy closes connections at rest, in each way that there is.
func TestAClientAtRestIsToldWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		close func(*server, *websocket.Conn, *peer)
		code  uint32
	}{
		"by the node":           {func(_ *server, c *websocket.Conn, _ *peer) { c.Close(transport.Kicked) }, transport.Kicked.Code},
		"by the end of a node":  {func(s *server, _ *websocket.Conn, _ *peer) { go func() { _ = s.group.Stop(t.Context()) }() }, transport.Shutdown.Code},
		"by a lost client":      {func(_ *server, _ *websocket.Conn, p *peer) { p.Cut() }, 0},
		"by a client that hung": {func(_ *server, _ *websocket.Conn, p *peer) { p.link.Freeze() }, transport.ConnLost.Code},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conns, ended := make(chan *websocket.Conn, 1), make(chan error, 1)
			s := serveRaw(t, options, false, func(c *websocket.Conn) {
				r := &reading{conn: c, got: func([]byte) {}}
				r.end = func(err error) {
					c.Finish(transport.Ended)
					ended <- err
				}
				c.Rest(r)
				conns <- c
			})
			p := s.dial(t, false)
			test.close(s, transporttest.Await(t, conns, "a connection"), p)
			err := transporttest.Await(t, ended, "the end")
			var why transport.Disconnect
			if err == nil || errors.As(err, &why) != (test.code != 0) || why.Code != test.code {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// TestConnectionsRestAndAreClosedAtOnce lets messages, closings and rests meet.
func TestConnectionsRestAndAreClosedAtOnce(t *testing.T) {
	t.Parallel()
	const clients, each = 50, 20
	var ends sync.WaitGroup
	s := serveRaw(t, options, false, echoed(t, &ends))
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range each {
				p := s.dial(t, false)
				if err := p.Send("hello"); err != nil {
					t.Error(err)
				}
				if got, err := p.Recv(); i%2 == 0 && (err != nil || got != "hello") {
					t.Errorf("%q, %v", got, err)
				}
				if i%2 == 0 {
					_ = p.Send("the last word") // nobody waits for what it is answered with
				}
				p.Cut()
			}
		})
	}
	wg.Wait()
	eventually(t, "nobody is left", func() bool { return s.group.Len() == 0 })
	ends.Wait()
}
