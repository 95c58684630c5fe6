package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/quicstream"
)

// ALPN is the protocol that QUIC clients name.
const ALPN = "gatesvr"

// maxQUICFrame is the largest frame that published clients write.
const maxQUICFrame = 1 << 20

// quicStop is how long connections may take to end once their sessions were closed.
const quicStop = 3 * time.Second

// QUIC is the listener of clients that speak the gateway protocol over QUIC. It is a Kratos
// transport.Server; without an address it serves nothing.
type QUIC struct {
	socket  *net.UDPConn // nil: not served
	tr      *quic.Transport
	lis     *quic.Listener
	handler *gateway.Handler
	timeout time.Duration // for a client to open its stream
	limit   int64
	ready   *Readiness
	metrics *Metrics
	log     *slog.Logger

	open    atomic.Int64
	ctx     context.Context // of all handlers
	cancel  context.CancelFunc
	running sync.WaitGroup
	stopped chan struct{}
	once    sync.Once
}

// NewQUIC opens the listener. The cleanup closes it if it was never served.
func NewQUIC(c *conf.Config, h Streams, by Callers, ready *Readiness, m *Metrics, log *slog.Logger) (*QUIC, func(), error) {
	q := &QUIC{
		handler: h.Gateway, timeout: c.GetSession().GetStartTimeout().AsDuration(), limit: int64(c.GetServer().GetQuic().GetMaxConnections()),
		ready: ready, metrics: m, log: log, stopped: make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	text := c.GetServer().GetQuic().GetAddr()
	if text == "" {
		return q, q.cancel, nil
	}
	addr, err := net.ResolveUDPAddr("udp", text)
	if err == nil {
		q.socket, err = net.ListenUDP("udp", addr)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("server.quic.addr: %w", err)
	}
	q.tr = &quic.Transport{Conn: q.socket}
	if q.lis, err = q.tr.Listen(by.Certificates.config("quic"), quicstream.Config()); err != nil {
		_ = q.socket.Close() // the first error counts
		return nil, nil, fmt.Errorf("server.quic: %w", err)
	}
	return q, q.close, nil
}

// Endpoint implements transport.Endpointer. It has no host when QUIC is not served.
func (q *QUIC) Endpoint() (*url.URL, error) {
	if q.socket == nil {
		return &url.URL{Scheme: "quic"}, nil
	}
	return &url.URL{Scheme: "quic", Host: q.socket.LocalAddr().String()}, nil
}

// Start implements transport.Server.
func (q *QUIC) Start(context.Context) error {
	if q.socket == nil {
		<-q.stopped
		return nil
	}
	for {
		conn, err := q.lis.Accept(q.ctx)
		switch {
		case errors.Is(err, quic.ErrServerClosed), q.ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("server.quic: %w", err)
		}
		q.admit(conn)
	}
}

func (q *QUIC) admit(conn *quic.Conn) {
	refuse := func(why transport.Disconnect) {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(why.Code), why.Reason) // it may be gone
	}
	switch {
	case !q.ready.serving.Load():
		refuse(transport.Shutdown.Because("the node is starting or stopping; reconnect"))
	case q.open.Load() >= q.limit:
		refuse(transport.Shutdown.Because("the node has as many connections as it takes; reconnect later"))
	default:
		q.open.Add(1)
		open := q.metrics.connections.WithLabelValues("quic")
		open.Inc()
		q.running.Go(func() {
			defer q.open.Add(-1)
			defer open.Dec()
			q.serve(conn)
		})
	}
}

// serve serves the one stream of a connection.
func (q *QUIC) serve(conn *quic.Conn) {
	ctx, cancel := context.WithTimeout(q.ctx, q.timeout)
	stream, err := conn.AcceptStream(ctx)
	cancel()
	if err != nil {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(transport.NotStarted.Code), transport.NotStarted.Reason) // it may be gone
		return
	}
	c := quicstream.New(conn, stream, gateway.Proto, maxQUICFrame)
	why := transport.InternalError
	defer func() {
		if p := recover(); p != nil {
			q.log.Error("a QUIC connection panicked", "panic", p, "stack", string(debug.Stack()))
		}
		c.Finish(why)
	}()
	err = q.handler.Serve(q.ctx, c, gateway.Opening{Format: gateway.Proto, Transport: "quic", Remote: conn.RemoteAddr().String()})
	if told, ok := errors.AsType[transport.Disconnect](err); ok {
		why = told
	} else if err == nil {
		why = transport.Ended
	}
}

// Stop implements transport.Server: nobody new is taken, and those whose sessions were closed finish,
// within the time that lasts at most; then they are cut.
func (q *QUIC) Stop(ctx context.Context) error {
	q.cancel()
	ctx, cancel := context.WithTimeout(ctx, quicStop)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.running.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		q.log.Warn("QUIC connections did not end in time and are cut", "open", q.open.Load())
	}
	q.close()
	return nil
}

func (q *QUIC) close() {
	q.once.Do(func() {
		q.cancel()
		close(q.stopped)
		if q.socket != nil {
			_, _, _ = q.lis.Close(), q.tr.Close(), q.socket.Close() // closes the connections too; nothing could be done about a failure
		}
	})
}
