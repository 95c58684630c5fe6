package data

import "github.com/prometheus/client_golang/prometheus"

// searchMetrics tell how far the index is, and what it costs.
type searchMetrics struct {
	lookUps   prometheus.Histogram
	indexed   prometheus.Counter
	removed   prometheus.Counter
	backlog   prometheus.Gauge
	indexTime prometheus.Histogram
	failures  prometheus.Counter
}

func newSearchMetrics() searchMetrics {
	return searchMetrics{
		lookUps: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hermod_search_lookup_seconds", Help: "Duration of one question to the index; a page of a search takes one or a few.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		indexed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_search_indexed_messages_total", Help: "Messages that this node has looked at for the index.",
		}),
		removed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_search_removed_messages_total", Help: "Messages that this node has taken out of the index since nothing is to be found in them any more, or they are gone.",
		}),
		backlog: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hermod_search_backlog_messages", Help: "Messages that were not in the index when this node last went through all rooms.",
		}),
		indexTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hermod_search_index_seconds", Help: "Duration of one transaction of the index.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_search_index_failures_total", Help: "Times that the index could not be written or read for; it is tried again.",
		}),
	}
}

func (m *searchMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.lookUps, m.indexed, m.removed, m.backlog, m.indexTime, m.failures}
}
