package cluster

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are a broker's instruments.
type metrics struct {
	published  prometheus.Counter
	received   prometheus.Counter
	refused    prometheus.Counter
	drops      *prometheus.CounterVec
	missed     prometheus.Counter
	asks       *prometheus.CounterVec
	outages    prometheus.Counter
	collectors []prometheus.Collector
}

func newMetrics(b *Broker) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "hermod_cluster_" + name, Help: help})
	}
	m := &metrics{
		published: counter("published_total", "Publications of this node for the others."),
		received:  counter("received_total", "Publications of others on channels that this node follows."),
		refused:   counter("undecodable_total", "Messages that are none of a node, or whose content this one does not understand."),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_cluster_dropped_total",
			Help: "Messages dropped: in the outbox (full), on the way out (engine out of reach), by the engine's client, in the inbox (full).",
		}, []string{"where"}),
		missed: counter("missed_total", "Times that something may not have come, and the store is asked."),
		asks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_cluster_asks_total", Help: "Requests to other nodes by result: answered, nobody, unanswered, down.",
		}, []string{"result"}),
		outages: counter("outages_total", "Times that the engine was lost."),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hermod_cluster_" + name, Help: help}, value)
	}
	m.collectors = []prometheus.Collector{
		m.published, m.received, m.refused, m.drops, m.missed, m.asks, m.outages,
		gauge("connected", "1 while the engine is within reach.", func() float64 {
			if b.up.Load() {
				return 1
			}
			return 0
		}),
		gauge("members", "Other nodes that are there.", func() float64 { return float64(len(b.members.list())) }),
		gauge("channels", "Channels that this node follows, its own two included.", func() float64 { return float64(b.interest.count()) }),
		gauge("outbox_bytes", "Bytes that wait to be sent.", func() float64 {
			_, bytes := b.out.size()
			return float64(bytes)
		}),
		gauge("inbox_bytes", "Bytes that were received and wait to be handled.", func() float64 { return float64(b.in.size()) }),
	}
	return m
}

func (m *metrics) dropped(where string, n int) { m.drops.WithLabelValues(where).Add(float64(n)) }

// asked counts an ask and returns its error.
func (m *metrics) asked(err error) error {
	m.asks.WithLabelValues(result(err)).Inc()
	return err
}

// Collectors returns the broker's instruments for registration.
func (b *Broker) Collectors() []prometheus.Collector { return b.metrics.collectors }
