package server

import (
	"context"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"github.com/go-kratos/kratos/v2/middleware"
	"github.com/go-kratos/kratos/v2/transport"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/status"
)

// Metrics counts what arrives.
type Metrics struct {
	connections *prometheus.GaugeVec
	calls       *prometheus.HistogramVec
	refusals    *prometheus.CounterVec
	requests    *prometheus.CounterVec
	sockets     *prometheus.GaugeVec
}

// NewMetrics returns fresh instruments, registered nowhere yet.
func NewMetrics() *Metrics {
	return &Metrics{
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_connections", Help: "Open connections by listener.",
		}, []string{"listener"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hermod_rpc_seconds", Help: "Duration of unary calls by method and gRPC code.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"method", "code"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_rpc_refusals_total", Help: "Calls and streams refused, by reason.",
		}, []string{"reason"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_http_requests_total", Help: "Requests over HTTP by route and status.",
		}, []string{"route", "code"}),
		sockets: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_websocket_connections", Help: "Open WebSocket connections by protocol.",
		}, []string{"protocol"}),
	}
}

// Collectors returns the instruments for registration.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.connections, m.calls, m.refusals, m.requests, m.sockets}
}

// unary observes unary calls.
func (m *Metrics) unary() middleware.Middleware {
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (any, error) {
			start := time.Now()
			reply, err := next(ctx, req)
			method := "unknown"
			if tr, ok := transport.FromServerContext(ctx); ok {
				method = tr.Operation()
			}
			m.calls.WithLabelValues(method, status.Code(err).String()).Observe(time.Since(start).Seconds())
			m.refused(err)
			return reply, err
		}
	}
}

func (m *Metrics) refused(err error) {
	if err == nil {
		return
	}
	reason := kerrors.Reason(err)
	if reason == "" {
		reason = status.Code(err).String()
	}
	m.refusals.WithLabelValues(reason).Inc()
}
