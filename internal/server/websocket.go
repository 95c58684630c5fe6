package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/websocket"
	"github.com/game-im/hermod/internal/service"
)

// sockets opens sessions on WebSocket connections.
type sockets struct {
	*websocket.Group
	gate
	origins origins
	start   func() time.Duration // for the first message of a client that has not said what it speaks
	metrics *Metrics
	log     *slog.Logger
}

func newSockets(c *conf.Config, h Streams, by Callers, ready *Readiness, m *Metrics, log *slog.Logger) *sockets {
	s := c.GetServer()
	return &sockets{
		Group: websocket.NewGroup(websocket.Options{
			MaxMessage:  frameLimit(c),
			PingAfter:   s.GetKeepalive().GetTime().AsDuration(),
			PingTimeout: s.GetKeepalive().GetTimeout().AsDuration(),
		}),
		gate: gate{by.Clients, ready, h.Load}, origins: s.GetHttp().GetAllowedOrigins(),
		start: h.startTimeout, metrics: m, log: log,
	}
}

// dialect is a protocol with its two notations, each the subprotocol of one kind of message.
type dialect struct {
	name        string
	proto, json *frame.Format
	// begin reads what the request says and returns what serves the session.
	begin func(id biz.Identity, get func(string) string, remote string) (serving, error)
}

// serving is what a request has asked for. batch tells whether its client takes envelopes, and first
// that the client has to speak before there is a session.
type serving struct {
	batch, first bool
	// open opens the session on a socket; nil without an error means that it has ended already.
	open func(ctx context.Context, s *socket) (live, error)
}

// live is an open session on its connection: Take handles what was read and tells that this was all,
// and End follows the last one and returns why the connection has ended. After a panic it is Lost.
type live interface {
	Take(ctx context.Context, data []byte) (over bool)
	End(err error) error
	Lost()
}

func imDialect(h *im.Handler) dialect {
	return dialect{name: "im.v1", proto: im.Proto, json: im.JSON, begin: func(id biz.Identity, get func(string) string, _ string) (serving, error) {
		o, err := im.ReadOpening(id, get)
		return serving{batch: o.Batch, first: id.User == "", open: func(ctx context.Context, s *socket) (live, error) {
			o.Format = s.format
			l, err := h.Open(ctx, s.req.Conn, o, func(w im.Welcome) error { return s.upgrade(w.Headers()) })
			if err != nil {
				return nil, err
			}
			return l, nil
		}}, err
	}}
}

func gatewayDialect(h *gateway.Handler) dialect {
	return dialect{name: "gateway.v1", proto: gateway.Proto, json: gateway.JSON, begin: func(id biz.Identity, _ func(string) string, remote string) (serving, error) {
		return serving{first: true, open: func(ctx context.Context, s *socket) (live, error) {
			l, err := h.Open(ctx, s.req.Conn, gateway.Opening{Identity: id, Format: s.format, Transport: "websocket", Remote: remote})
			if l == nil {
				return nil, err
			}
			return l, nil
		}}, nil
	}}
}

// socket is one connection in the making.
type socket struct {
	*sockets
	dialect
	serving
	req      *websocket.Request
	place    overload.Place
	protocol string        // the subprotocol; empty: the first message decides
	format   *frame.Format // nil: not known yet
	upgraded bool
}

// handler serves sessions of a dialect.
func (s *sockets) handler(d dialect) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := websocket.Check(r); err != nil {
			w.Header().Set("Upgrade", "websocket")
			answerHTTP(w, r, http.StatusUpgradeRequired, "UPGRADE_REQUIRED", err.Error())
			return
		}
		next, err := s.admit(d, r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next.req = s.Request(w, r)
		next.run()
	})
}

// admit finds out who wants to speak what.
func (s *sockets) admit(d dialect, r *http.Request) (*socket, error) {
	if !s.origins.allow(r) {
		return nil, biz.Errorf(biz.KindPermissionDenied, "ORIGIN_NOT_ALLOWED", "pages of %s may not connect; see server.http.allowed_origins", r.Header.Get("Origin"))
	}
	place, err := s.enter(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	next := &socket{sockets: s, dialect: d, place: place}
	in := false
	defer func() { // after a panic as well
		if !in {
			place.Leave()
		}
	}()
	if err := next.begin(r); err != nil {
		return nil, err
	}
	in = true
	return next, nil
}

// begin finds out who is there and settles what can be settled by the request.
func (s *socket) begin(r *http.Request) (err error) {
	credentials := credentialsOf(r)
	// What a session keeps of a request must not keep the whole of its header.
	get := func(key string) string { return strings.Clone(credentials(key)) }
	id, err := s.identify(r.Context(), get)
	if err != nil {
		return err
	}
	d := s.dialect
	switch {
	case websocket.Offers(r, d.name+".proto"):
		s.protocol, s.format = d.name+".proto", d.proto
	case websocket.Offers(r, d.name+".json"):
		s.protocol, s.format = d.name+".json", d.json
	case websocket.OffersAny(r):
		return biz.Errorf(biz.KindInvalid, "SUBPROTOCOL", "%s.proto and %s.json are spoken here", d.name, d.name)
	}
	s.serving, err = d.begin(id, get, r.RemoteAddr)
	return err
}

func (s *sockets) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.metrics.refused(service.Error(s.log, err))
	refuseHTTP(w, r, s.log, err)
}

// run opens the session, and leaves it to a goroutine of its own, or to none while it is at rest: the HTTP
// server's goroutine ends, with its buffers.
func (s *socket) run() {
	var (
		err  error
		next live
	)
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(p)
		}
		if next == nil {
			defer s.place.Leave()
			s.finish(err)
		}
	}()
	if err = s.speak(); err != nil {
		return
	}
	if next, err = s.open(context.Background(), s); next != nil {
		c := &connected{sockets: s.sockets, name: s.name, conn: s.req.Conn, live: next, place: s.place}
		c.begin()
	}
}

func (s *sockets) panicked(p any) error {
	s.log.Error("a session panicked", "panic", p, "stack", string(debug.Stack()))
	return biz.Errorf(biz.KindInternal, "PANIC", "internal error")
}

// connected is what is left of a socket once its session is open.
type connected struct {
	*sockets
	name  string
	conn  *websocket.Conn
	live  live
	place overload.Place
}

// begin lets a client be silent from the start.
func (c *connected) begin() {
	if c.conn.Resting() {
		c.conn.Rest(c)
		return
	}
	go c.Serve()
}

// Serve implements websocket.Server. Whenever the connection is at rest it ends, and another goroutine goes
// on when something comes: of what a session at rest would cost, the goroutine is a third.
func (c *connected) Serve() {
	rest := false
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = c.panicked(p)
			c.live.Lost()
		}
		if !rest {
			defer c.place.Leave()
			c.end(c.name, c.conn, err)
		}
	}()
	if rest, err = c.read(); rest {
		c.conn.Rest(c)
	}
}

func (c *connected) read() (rest bool, err error) {
	for {
		data, quiet, err := c.conn.Next()
		if !quiet && (err != nil || c.live.Take(context.Background(), data)) {
			return false, c.live.End(err)
		}
		if c.conn.Resting() {
			return true, nil
		}
	}
}

// end tells the client of a connection how it ended.
func (s *sockets) end(name string, conn *websocket.Conn, err error) {
	var refused *biz.Error
	if errors.As(err, &refused) {
		s.metrics.refused(service.Error(s.log, err))
	}
	conn.Finish(ending(refused))
	s.metrics.sockets.WithLabelValues(name).Dec()
}

// speak settles the notation. Where nothing but the first message can tell it, or who is there, the
// request is answered first.
func (s *socket) speak() error {
	if s.first || s.format == nil {
		if err := s.upgrade(nil); err != nil {
			return err
		}
	}
	conn := s.req.Conn
	if s.format == nil {
		timeout := time.AfterFunc(s.start(), func() { conn.Close(transport.NotStarted) })
		text, err := conn.Peek()
		timeout.Stop()
		if err != nil {
			return err
		}
		s.format = s.proto
		if text {
			s.format = s.json
		}
	}
	conn.Speak(s.format, s.format == s.json, s.batch)
	return nil
}

// upgrade answers the request, if that was not done before.
func (s *socket) upgrade(headers map[string]string) error {
	if s.upgraded {
		return nil
	}
	h := http.Header{}
	for k, v := range headers {
		h.Set(k, v)
	}
	if err := s.req.Upgrade(s.protocol, h); err != nil {
		return err
	}
	s.upgraded = true
	s.metrics.sockets.WithLabelValues(s.name).Inc()
	return nil
}

// finish tells the client why there is no session, in the way that is left.
func (s *socket) finish(err error) {
	if s.upgraded {
		s.end(s.name, s.req.Conn, err)
		return
	}
	w, r := s.req.Answer()
	if w == nil {
		return // the client left in the middle of it
	}
	var refused *biz.Error
	if !errors.As(err, &refused) { // closed meanwhile, by a stop for one
		err = biz.Errorf(biz.KindUnavailable, notServing, "the session has ended before it was open; reconnect")
	}
	s.refuse(w, r, err)
}

// ending is the reason of a refusal for a client that is connected already.
func ending(refused *biz.Error) transport.Disconnect {
	if refused == nil {
		return transport.ConnLost
	}
	why := transport.BadRequest
	switch {
	case refused.Kind == biz.KindInternal:
		return transport.InternalError
	case refused.Reason == overloaded:
		return transport.Overloaded.Because("%s", refused.Text).After(refused.Retry)
	case refused.Kind == biz.KindUnavailable, refused.Kind == biz.KindResourceLimit:
		why = transport.InternalError
	}
	return why.Because("%s: %s", refused.Reason, refused.Text).After(refused.Retry)
}
