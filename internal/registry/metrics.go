package registry

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the instruments of a Keeper. Safe for concurrent use.
type Metrics struct {
	registered *prometheus.GaugeVec
	failures   prometheus.Counter
}

// NewMetrics returns instruments that say nothing of any service yet.
func NewMetrics() *Metrics {
	return &Metrics{
		registered: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_registry_registered",
			Help: "1 while the registry is known to list the node under a service's name, else 0.",
		}, []string{"service"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_registry_failures_total",
			Help: "Attempts to register, to stay registered or to deregister that failed.",
		}),
	}
}

// Collectors returns the instruments for registration.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.registered, m.failures}
}

// set notes whether an instance is listed, as far as is known.
func (m *Metrics) set(i Instance, listed bool) {
	value := 0.0
	if listed {
		value = 1
	}
	m.registered.WithLabelValues(i.Name()).Set(value)
}
