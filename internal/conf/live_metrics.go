package conf

import "github.com/prometheus/client_golang/prometheus"

type liveMetrics struct {
	reloads *prometheus.CounterVec
	waiting prometheus.Gauge
	loaded  prometheus.Gauge
}

func newLiveMetrics() liveMetrics {
	m := liveMetrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_config_reloads_total",
			Help: "Attempts to read a changed configuration, by result (applied, waiting, refused, unreachable).",
		}, []string{"result"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hermod_config_waiting_keys",
			Help: "Keys whose new value waits for a restart.",
		}),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hermod_config_loaded_timestamp_seconds",
			Help: "When a configuration was read last that was not refused.",
		}),
	}
	for _, result := range []string{"applied", "waiting", "refused", "unreachable"} {
		m.reloads.WithLabelValues(result)
	}
	return m
}

// Collectors returns the instruments for registration.
func (l *Live) Collectors() []prometheus.Collector {
	return []prometheus.Collector{l.metrics.reloads, l.metrics.waiting, l.metrics.loaded}
}
