package gateway

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	received *prometheus.CounterVec
	starts   *prometheus.CounterVec
	errors   *prometheus.CounterVec
	replaced prometheus.Counter
	seconds  prometheus.Histogram
}

func newMetrics() metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hermod_gateway_" + name, Help: help}, labels)
	}
	return metrics{
		received: vec("received_total", "Frames read from gateway sessions, by transport and kind (stop, heartbeat, business, ack, other).", "transport", "kind"),
		starts:   vec("starts_total", "Attempts to start a gateway session, by transport and result (new, resumed, resync, refused).", "transport", "result"),
		errors:   vec("errors_total", "ERROR frames sent to gateway sessions, by code.", "code"),
		replaced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_gateway_superseded_total", Help: "Gateway sessions that another device of their user took the place of.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hermod_gateway_request_seconds", Help: "How long business requests took to be answered, from when their turn came.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}),
	}
}

func (m *metrics) refused(code int32) { m.errors.WithLabelValues(strconv.Itoa(int(code))).Inc() }

// Collectors returns the handler's instruments for registration.
func (h *Handler) Collectors() []prometheus.Collector {
	m := h.metrics
	return []prometheus.Collector{m.received, m.starts, m.errors, m.replaced, m.seconds}
}
