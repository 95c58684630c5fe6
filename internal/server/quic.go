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

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/quicstream"
	"github.com/game-im/hermod/internal/service"
)

// What QUIC clients name as the protocol that they speak.
const (
	ALPN   = "gatesvr" // the gateway protocol, under its published name
	ALPNIM = "im.v1"
)

// maxQUICFrame is the largest frame that published clients write.
const maxQUICFrame = 1 << 20

// codeBusy is what published clients of the gateway protocol know an overload by. It means the same as
// transport.Overloaded, and is the one code outside of the table's ranges.
const codeBusy = 503

// quicStop is how long connections may take to end once their sessions were closed.
const quicStop = 3 * time.Second

// quicCut is how long those that are cut may take to be told.
const quicCut = time.Second

// QUIC is the listener of clients that speak the gateway protocol or im.v1 over QUIC. It is a Kratos
// transport.Server; without an address it serves nothing.
type QUIC struct {
	gate
	socket  *net.UDPConn // nil: not served
	tr      *quic.Transport
	lis     *quic.Listener
	streams Streams
	limit   int64
	message int // most bytes of a frame of im.v1
	metrics *Metrics
	log     *slog.Logger

	open    atomic.Int64
	ctx     context.Context // of all handlers
	cancel  context.CancelFunc
	alive   context.Context // of all connections
	cut     context.CancelFunc
	running sync.WaitGroup
	stopped chan struct{}
	once    sync.Once
}

// NewQUIC opens the listener. The cleanup closes it if it was never served.
func NewQUIC(c *conf.Config, h Streams, by Callers, ready *Readiness, m *Metrics, log *slog.Logger) (*QUIC, func(), error) {
	q := &QUIC{
		gate: gate{by.Clients, ready, h.Load}, streams: h,
		limit:   int64(c.GetServer().GetQuic().GetMaxConnections()),
		message: int(c.GetMessage().GetMaxContentBytes() + c.GetMessage().GetMaxMetadataBytes() + frameOverhead),
		metrics: m, log: log, stopped: make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	q.alive, q.cut = context.WithCancel(context.Background())
	text := c.GetServer().GetQuic().GetAddr()
	if text == "" {
		return q, q.close, nil
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
	place, err := q.take(conn)
	if err != nil {
		q.refuse(conn, err)
		return
	}
	open := q.metrics.connections.WithLabelValues("quic")
	open.Inc()
	q.running.Go(func() {
		defer q.open.Add(-1)
		defer place.Leave()
		defer open.Dec()
		q.serve(conn)
	})
}

// take finds a place for a connection, of the node and of the listener.
func (q *QUIC) take(conn *quic.Conn) (overload.Place, error) {
	place, err := q.enter(conn.RemoteAddr().String())
	if err == nil && q.open.Add(1) > q.limit {
		q.open.Add(-1)
		place.Leave()
		err = biz.Errorf(biz.KindUnavailable, overloaded, "the node has %d QUIC connections, as many as it takes; reconnect later", q.limit).After(q.load.Retry())
	}
	return place, err
}

// refuse closes a connection that nothing was read from.
func (q *QUIC) refuse(conn *quic.Conn, err error) {
	refused := biz.AsError(err)
	q.metrics.refused(service.Error(q.log, refused))
	why := ending(refused)
	switch {
	case refused.Reason != overloaded: // starting or stopping
		why = transport.Shutdown.Because("%s", refused.Text).After(refused.Retry)
	case protocolOf(conn) == ALPN:
		why = transport.Disconnect{Code: codeBusy, Reason: "server overloaded"}.After(refused.Retry)
	}
	closeQUIC(conn, why)
}

func closeQUIC(conn *quic.Conn, why transport.Disconnect) {
	_ = conn.CloseWithError(quic.ApplicationErrorCode(why.Code), why.Words(maxReason)) // it may be gone
}

// maxReason is the most bytes of a close's text: it has to fit a packet.
const maxReason = 1000

// protocolOf is what the client has named.
func protocolOf(conn *quic.Conn) string { return conn.ConnectionState().TLS.NegotiatedProtocol }

// serve serves the one stream of a connection.
func (q *QUIC) serve(conn *quic.Conn) {
	defer context.AfterFunc(q.alive, func() { closeQUIC(conn, transport.Shutdown) })()
	ctx, cancel := context.WithTimeout(q.ctx, q.streams.startTimeout())
	stream, err := conn.AcceptStream(ctx)
	cancel()
	if err != nil {
		closeQUIC(conn, transport.NotStarted)
		return
	}
	speaks := protocolOf(conn)
	format, limit := gateway.Proto, maxQUICFrame
	if speaks == ALPNIM {
		format, limit = im.Proto, q.message
	}
	c := quicstream.New(conn, stream, format, limit)
	why := transport.InternalError
	defer func() {
		if p := recover(); p != nil {
			q.log.Error("a QUIC connection panicked", "protocol", speaks, "panic", p, "stack", string(debug.Stack()))
		}
		c.Finish(why)
	}()
	if speaks == ALPNIM {
		err = q.serveIM(c)
		if refused, ok := errors.AsType[*biz.Error](err); ok { // nothing was written that would have to arrive first
			c.Close(q.ended(refused))
		}
	} else {
		err = q.streams.Gateway.Serve(q.ctx, c, gateway.Opening{Format: gateway.Proto, Transport: "quic", Remote: conn.RemoteAddr().String()})
	}
	why = q.ended(err)
}

// ended is what a client is told whose session has come to an end, if it was not told already.
func (q *QUIC) ended(err error) transport.Disconnect {
	if err == nil {
		return transport.Ended
	}
	if told, ok := errors.AsType[transport.Disconnect](err); ok {
		return told
	}
	if refused, ok := errors.AsType[*biz.Error](err); ok {
		q.metrics.refused(service.Error(q.log, refused))
		return ending(refused)
	}
	return transport.InternalError
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
		q.cut()
		select {
		case <-done:
		case <-time.After(quicCut):
		}
	}
	q.close()
	return nil
}

func (q *QUIC) close() {
	q.once.Do(func() {
		q.cancel()
		q.cut()
		close(q.stopped)
		if q.socket != nil {
			_, _, _ = q.lis.Close(), q.tr.Close(), q.socket.Close() // closes the connections too; nothing could be done about a failure
		}
	})
}
