package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"

	khttp "github.com/go-kratos/kratos/v2/transport/http"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/game-im/hermod/internal/conf"
)

// Note is a line of /readyz that says how something stands without which the node serves as well.
type Note struct {
	Name string
	Text func() string // "": nothing to say
}

// OpsPages are those of the operations listener that have a part of their own.
type OpsPages struct {
	REST     *REST
	Monitors *Monitors
}

// Ops is the listener of those who run the node.
type Ops struct{ *khttp.Server }

// NewOps opens the operations listener; the cleanup closes it if it was never served:
//
//	/healthz      the process lives
//	/readyz       the node serves; 503 with the reason when it does not; then the notes
//	/metrics      Prometheus, see docs/metrics.md
//	/debug/pprof  profiles, when configured
//	/health       for monitors of gatesvr, see Monitors
//	/stats        the same
//	/v1/          the push API, see REST
func NewOps(c *conf.Config, pages OpsPages, notes []Note, metrics prometheus.Gatherer, certs *Certificates, m *Metrics, log *slog.Logger) (*Ops, func(), error) {
	lis, cleanup, err := listen("ops", c.GetServer().GetOps().GetAddr(), m, nil)
	if err != nil {
		return nil, nil, err
	}
	// No timeout: Kratos' is of one second, and a profile takes thirty.
	// And nothing but what is named here: Kratos would look further in http.DefaultServeMux, where
	// profiles are whenever their package is linked.
	none := http.NotFoundHandler()
	srv := khttp.NewServer(khttp.Listener(lis), khttp.Address(lis.Addr().String()), khttp.Timeout(0),
		khttp.TLSConfig(certs.config("ops")),
		khttp.NotFoundHandler(none), khttp.MethodNotAllowedHandler(none))
	// Of the TLS handshake too.
	srv.ReadHeaderTimeout = httpStall
	srv.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	srv.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := pages.Monitors.Ready.Ready(r.Context()); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		} else {
			fmt.Fprintln(w, "ready")
		}
		for _, n := range notes {
			if text := n.Text(); text != "" {
				fmt.Fprintf(w, "%s: %s\n", n.Name, text)
			}
		}
	})
	srv.Handle("/metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	routes := &httpRoutes{mux: http.NewServeMux(), metrics: m, log: log}
	pages.REST.register(routes)
	routes.handle("/health", "health", pages.Monitors.health(true))
	routes.handle("/stats", "stats", pages.Monitors.stats(true))
	for _, path := range []string{"/health", "/stats"} {
		srv.Handle(path, routes.mux)
	}
	srv.HandlePrefix("/v1/", routes.mux)
	if c.GetServer().GetOps().GetPprof() {
		srv.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		srv.HandleFunc("/debug/pprof/profile", pprof.Profile)
		srv.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		srv.HandleFunc("/debug/pprof/trace", pprof.Trace)
		srv.HandlePrefix("/debug/pprof/", http.HandlerFunc(pprof.Index))
	}
	return &Ops{srv}, cleanup, nil
}
