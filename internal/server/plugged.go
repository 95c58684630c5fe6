package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/pluginconn"
	"github.com/game-im/hermod/internal/service"
	"github.com/game-im/hermod/plugin"
)

const (
	// pluggedStop is how long connections may take to end once their sessions were closed.
	pluggedStop = 3 * time.Second
	// pluggedCut is how long those that are cut may take to be told, and plugins to come back.
	pluggedCut = time.Second
)

// Carrier is a plugin that carries sessions, under a name of its own.
type Carrier interface {
	plugin.Transport
	Name() string
	Rest() time.Duration // before it is asked again that does not accept connections any more
	Failed(err error)    // it does not
	Panicked(value any)  // it did, or one of its connections
}

// Plugged is the listeners that plugins bring. It is a Kratos transport.Server; without any it serves
// nothing.
type Plugged struct {
	gate
	carriers []Carrier
	streams  Streams
	message  int // most bytes of a frame
	metrics  *Metrics
	log      *slog.Logger

	ctx       context.Context // of all handlers, and of accepting
	cancel    context.CancelFunc
	alive     context.Context // of all connections
	cut       context.CancelFunc
	open      atomic.Int64
	accepting sync.WaitGroup
	running   sync.WaitGroup
	mu        sync.Mutex // guards full, and running against one that begins while all are waited for
	full      bool       // nobody is let in any more
}

// NewPlugged returns the listeners of the carriers. Each has a name that no listener of the node's has.
func NewPlugged(c *conf.Config, h Streams, by Callers, ready *Readiness, m *Metrics, carriers []Carrier, log *slog.Logger) (*Plugged, error) {
	for _, carrier := range carriers {
		switch name := carrier.Name(); name {
		case "im", "gateway", "http", "quic", "ops", "grpc", "websocket":
			return nil, fmt.Errorf("the plugin %s carries sessions and cannot have that name: a transport of the node's has it", name)
		}
	}
	p := &Plugged{
		gate: gate{by.Clients, ready, h.Load}, carriers: carriers, streams: h,
		message: frameLimit(c), metrics: m, log: log,
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.alive, p.cut = context.WithCancel(context.Background())
	return p, nil
}

// Endpoint implements transport.Endpointer: where plugins listen is not known.
func (p *Plugged) Endpoint() (*url.URL, error) { return &url.URL{Scheme: "plugin"}, nil }

// Start implements transport.Server.
func (p *Plugged) Start(context.Context) error {
	for _, c := range p.carriers {
		p.accepting.Go(func() { p.accept(c) })
	}
	<-p.ctx.Done()
	return nil
}

// accept has a carrier accept connections until the node stops, again and again if it must.
func (p *Plugged) accept(c Carrier) {
	for {
		err := p.acceptOnce(c)
		if p.ctx.Err() != nil {
			return
		}
		if !errors.Is(err, errPanicked) {
			c.Failed(err)
		}
		select {
		case <-time.After(c.Rest()):
		case <-p.ctx.Done():
			return
		}
	}
}

// errPanicked stands for accepting that has ended in a panic, which was told of.
var errPanicked = errors.New("it has panicked")

func (p *Plugged) acceptOnce(c Carrier) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.Panicked(v)
			err = errPanicked
		}
	}()
	return c.AcceptConns(p.ctx, func(under plugin.Conn) { p.take(c, under) })
}

// take serves a connection, or tells its client why not.
func (p *Plugged) take(c Carrier, under plugin.Conn) {
	conn := pluginconn.New(under, c.Name(), c)
	if !p.begin() {
		conn.Finish(transport.Shutdown)
		return
	}
	defer p.running.Done()
	defer context.AfterFunc(p.alive, func() { conn.Close(transport.Shutdown) })()
	defer p.open.Add(-1)
	if !p.load.Socket(p.open.Add(1)) {
		conn.Cut(transport.Overloaded)
		conn.Finish(transport.Overloaded)
		return
	}
	open := p.metrics.connections.WithLabelValues(c.Name())
	open.Inc()
	defer open.Dec()
	conn.Finish(p.serve(conn))
}

// begin notes a connection, unless all of them are waited for already.
func (p *Plugged) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.full {
		p.running.Add(1)
	}
	return !p.full
}

// serve serves a connection and returns what its client is told at the end, unless it was told already.
func (p *Plugged) serve(conn *pluginconn.Conn) (why transport.Disconnect) {
	defer func() {
		if v := recover(); v != nil {
			p.log.Error("a session panicked", "transport", conn.Peer().Transport, "panic", v, "stack", string(debug.Stack()))
			why = transport.InternalError
		}
	}()
	place, err := p.enter(conn.Peer().Remote)
	if err != nil {
		return p.ended(err)
	}
	defer place.Leave()
	return p.ended(p.session(conn))
}

// ended is what a client is told whose session has come to an end, or did not begin.
func (p *Plugged) ended(err error) transport.Disconnect {
	if err == nil {
		return transport.Ended
	}
	if told, ok := errors.AsType[transport.Disconnect](err); ok {
		return told
	}
	refused, ok := errors.AsType[*biz.Error](err)
	if !ok {
		return transport.ConnLost
	}
	p.metrics.refused(service.Error(p.log, refused))
	if refused.Reason == notServing {
		return transport.Shutdown.Because("%s", refused.Text).After(refused.Retry)
	}
	return ending(refused)
}

// Stop implements transport.Server: nobody new is taken, and those whose sessions were closed finish,
// within the time that lasts at most; then they are cut.
func (p *Plugged) Stop(ctx context.Context) error {
	p.cancel()
	p.mu.Lock()
	p.full = true
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, pluggedStop)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.accepting.Wait()
		p.running.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		p.log.Warn("connections of plugins, or what accepts them, did not end in time and are cut", "open", p.open.Load())
		p.cut()
		select {
		case <-done:
		case <-time.After(pluggedCut):
		}
	}
	p.cut()
	return nil
}
