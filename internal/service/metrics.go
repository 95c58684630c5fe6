package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
)

// GatewayMetrics counts pushes.
type GatewayMetrics struct {
	outcomes   *prometheus.CounterVec
	broadcasts prometheus.Counter
	reached    prometheus.Counter
	repeats    prometheus.Counter
}

// NewGatewayMetrics returns fresh instruments, registered nowhere yet.
func NewGatewayMetrics() *GatewayMetrics {
	m := &GatewayMetrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_push_targets_total", Help: "Push targets by outcome.",
		}, []string{"outcome"}),
		broadcasts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_push_broadcasts_total", Help: "Broadcasts.",
		}),
		reached: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_push_broadcast_sessions_total", Help: "Connected sessions that broadcasts were queued for.",
		}),
		repeats: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_push_repeats_total", Help: "Push targets and broadcasts answered from their idempotency key.",
		}),
	}
	for o := biz.OutcomeRejected; o <= biz.OutcomeUnknown; o++ {
		m.outcomes.WithLabelValues(o.String()) // present from the start, so that rates are right
	}
	return m
}

// Collectors returns the instruments for registration.
func (m *GatewayMetrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.outcomes, m.broadcasts, m.reached, m.repeats}
}

func (m *GatewayMetrics) outcome(o biz.Outcome) { m.outcomes.WithLabelValues(o.String()).Inc() }

func (m *GatewayMetrics) broadcast(reached int) {
	m.broadcasts.Inc()
	m.reached.Add(float64(reached))
}
