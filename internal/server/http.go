package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	khttp "github.com/go-kratos/kratos/v2/transport/http"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/service"
)

const (
	// httpStall is how long a client may take to send a request, and to take the next part of an
	// answer. The answer as a whole may take longer.
	httpStall = 30 * time.Second
	// httpIdle is how long a connection is kept for another request.
	httpIdle = 2 * time.Minute
	// maxHeader is room for a token.
	maxHeader = 32 << 10
)

// Public is the listener of clients that speak HTTP before anything is served there: what is served has to
// know what it is reached as.
type Public struct {
	conf   *conf.Config
	server *khttp.Server
	url    string
}

// NewPublic opens it; the cleanup closes it if it was never served.
func NewPublic(c *conf.Config, certificates *Certificates, load *overload.Guard, m *Metrics) (*Public, func(), error) {
	lis, cleanup, err := listen("http", c.GetServer().GetHttp().GetAddr(), m, load)
	if err != nil {
		return nil, nil, err
	}
	srv := khttp.NewServer(khttp.Listener(lis), khttp.Address(lis.Addr().String()), khttp.Timeout(0),
		khttp.TLSConfig(certificates.config("http")))
	endpoint, err := srv.Endpoint()
	if err != nil {
		cleanup()
		return nil, nil, fmt.Errorf("server.http.addr: %w", err)
	}
	public := c.GetServer().GetHttp().GetPublicUrl()
	if public == "" {
		public = endpoint.Scheme + "://" + endpoint.Host
	}
	return &Public{conf: c, server: srv, url: strings.TrimRight(public, "/")}, cleanup, nil
}

// AudioURL returns where members fetch a recording, and with a grant anybody.
func (p *Public) AudioURL(id biz.AudioID, grant biz.AudioGrant) string {
	url := p.url + "/audio/" + string(id)
	if grant.Query != "" {
		url += "?" + grant.Query
	}
	return url
}

// HTTP serves clients that speak HTTP.
type HTTP struct {
	*khttp.Server
	sockets *sockets
}

// NewHTTP says what is served at p:
//
//	/audio/{id}  a recording, for members of its room, and for who has a signed address
//	/health      whether the node serves, and how many sessions it has
//	/im          sessions of im.v1 over WebSocket
//	/stats       how many sessions it has
//	/ws          sessions of the gateway protocol over WebSocket
func NewHTTP(p *Public, audios *biz.Audios, h Streams, monitors *Monitors, by Callers, m *Metrics, log *slog.Logger) *HTTP {
	srv := p.server
	// What Kratos would put around each request is a timeout, and it would redirect to paths that
	// look better: nothing of that is wanted here.
	routes := &httpRoutes{mux: http.NewServeMux(), metrics: m, log: log}
	routes.handle("/audio/{id}", "audio", &recordings{audios: audios, clients: by.Clients, log: log})
	sockets := newSockets(p.conf, h, by, monitors.Ready, m, log)
	routes.handle("/im", "im", sockets.handler(imDialect(h.IM)))
	routes.handle("/ws", "ws", sockets.handler(gatewayDialect(h.Gateway)))
	routes.handle("/health", "health", monitors.health(false))
	routes.handle("/stats", "stats", monitors.stats(false))
	routes.handle("/", "none", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuseHTTP(w, r, log, biz.Errorf(biz.KindNotFound, "NO_SUCH_PAGE", "there is no such page"))
	}))
	srv.Handler = routes.mux
	srv.ReadHeaderTimeout, srv.ReadTimeout, srv.WriteTimeout = httpStall, httpStall, httpStall
	srv.IdleTimeout, srv.MaxHeaderBytes = httpIdle, maxHeader
	srv.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	return &HTTP{Server: srv, sockets: sockets}
}

// Start implements transport.Server. Clients are pinged while it serves.
func (h *HTTP) Start(ctx context.Context) error {
	pinging, stop := context.WithCancel(context.WithoutCancel(ctx))
	var pings sync.WaitGroup
	pings.Go(func() { h.sockets.Run(pinging) })
	defer pings.Wait()
	defer stop()
	return h.Server.Start(ctx)
}

// Stop implements transport.Server. WebSocket connections, which the HTTP server no longer knows, are
// closed before it. That some had to be cut is no failure: what is to end behind the servers would not.
func (h *HTTP) Stop(ctx context.Context) error {
	if err := h.sockets.Stop(ctx); err != nil {
		h.sockets.log.Warn("WebSocket connections did not end in time and are cut", "error", err)
	}
	return h.Server.Stop(ctx)
}

// httpRoutes is what is served where, counted.
type httpRoutes struct {
	mux     *http.ServeMux
	metrics *Metrics
	log     *slog.Logger
}

func (rs *httpRoutes) handle(pattern, name string, next http.Handler) {
	rs.mux.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &answer{ResponseWriter: w}
		defer func() {
			p := recover()
			if p != nil {
				rs.log.Error("a request panicked", "route", name, "panic", p, "stack", string(debug.Stack()))
			}
			begun := answer.code != 0
			if p != nil && !begun {
				answerHTTP(answer, r, http.StatusInternalServerError, "PANIC", "internal error")
			}
			rs.metrics.requests.WithLabelValues(name, strconv.Itoa(answer.status())).Inc()
			if p != nil && begun {
				panic(http.ErrAbortHandler) // the end of what was begun must not look right
			}
		}()
		next.ServeHTTP(answer, r)
	}))
}

// answer remembers how a request was answered.
type answer struct {
	http.ResponseWriter
	code int // 0: not yet
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
	a.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.code == 0 {
		a.code = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Hijack implements http.Hijacker.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil && a.code == 0 {
		a.code = http.StatusSwitchingProtocols
	}
	return nc, rw, err
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) status() int {
	if a.code == 0 {
		return http.StatusOK // what net/http says for a handler that says nothing
	}
	return a.code
}

// refuseHTTP answers with an error in JSON: {"reason":"NOT_A_MEMBER","text":"..."}.
func refuseHTTP(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	e := kerrors.FromError(service.Error(log, err))
	if retry := biz.AsError(err).Retry; retry > 0 { // in whole seconds, and rather later
		w.Header().Set("Retry-After", strconv.Itoa(int((retry+time.Second-1)/time.Second)))
	}
	answerHTTP(w, r, int(e.Code), e.Reason, e.Message)
}

func answerHTTP(w http.ResponseWriter, r *http.Request, code int, reason, text string) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(code)
	if r.Method == http.MethodHead {
		return
	}
	// A client that has gone does not hear it.
	_ = json.NewEncoder(w).Encode(struct {
		Reason string `json:"reason"`
		Text   string `json:"text"`
	}{reason, text})
}
