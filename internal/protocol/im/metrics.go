package im

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	received *prometheus.CounterVec
	refusals *prometheus.CounterVec

	// The kinds of received, looked up once and not for every message.
	sends, acks, heartbeats, ephemerals, presences prometheus.Counter
}

func newMetrics() metrics {
	m := metrics{
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_im_received_total", Help: "Messages read from im.v1 sessions, by kind (send, ack, heartbeat, ephemeral, presence).",
		}, []string{"kind"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_im_refusals_total", Help: "Messages of im.v1 sessions that were refused, by reason.",
		}, []string{"reason"}),
	}
	m.sends = m.received.WithLabelValues("send")
	m.acks = m.received.WithLabelValues("ack")
	m.heartbeats = m.received.WithLabelValues("heartbeat")
	m.ephemerals = m.received.WithLabelValues("ephemeral")
	m.presences = m.received.WithLabelValues("presence")
	return m
}

// Collectors returns the handler's instruments for registration.
func (h *Handler) Collectors() []prometheus.Collector {
	return []prometheus.Collector{h.metrics.received, h.metrics.refusals}
}
