package protocol

import "github.com/prometheus/client_golang/prometheus"

type watchMetrics struct {
	watches, watched prometheus.Gauge
	changes          *prometheus.CounterVec
	told             prometheus.Counter
}

func newWatchMetrics() watchMetrics {
	m := watchMetrics{
		watches: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hermod_presence_watches", Help: "Sessions that hear of the presence of others."}),
		watched: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hermod_presence_watched_users", Help: "Users of whose presence some session of this node hears."}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_presence_changes_total", Help: "Changes of the presence of watched users, by where (here, elsewhere).",
		}, []string{"where"}),
		told: prometheus.NewCounter(prometheus.CounterOpts{Name: "hermod_presence_told_total", Help: "Presence frames given to sessions."}),
	}
	m.changes.WithLabelValues("here")
	m.changes.WithLabelValues("elsewhere")
	return m
}

func (w *Watches) gaugeLocked() {
	w.metrics.watches.Set(float64(len(w.sessions)))
	w.metrics.watched.Set(float64(len(w.users)))
}

// Collectors returns the instruments for registration.
func (w *Watches) Collectors() []prometheus.Collector {
	return []prometheus.Collector{w.metrics.watches, w.metrics.watched, w.metrics.changes, w.metrics.told}
}
