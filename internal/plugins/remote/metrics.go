package remote

import "github.com/prometheus/client_golang/prometheus"

// metrics counts the lives of plugins that run outside.
type metrics struct {
	connected *prometheus.GaugeVec
	connects  *prometheus.CounterVec
	memory    *prometheus.GaugeVec
}

func newMetrics() *metrics {
	return &metrics{
		connected: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_plugin_connected", Help: "1 while a plugin that runs outside of the node is connected and ready.",
		}, []string{"plugin"}),
		connects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_plugin_connects_total", Help: "How often a plugin that runs outside of the node became ready: once, and again after each time that it was lost.",
		}, []string{"plugin"}),
		memory: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_plugin_process_resident_bytes", Help: "Resident memory of a plugin's process and its children, where the node has started it.",
		}, []string{"plugin"}),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.connected, m.connects, m.memory}
}

// meters are those of one plugin.
type meters struct {
	up       prometheus.Gauge
	connects prometheus.Counter
	memory   *prometheus.GaugeVec
	name     string
}

func (m *metrics) of(name string) *meters {
	return &meters{m.connected.WithLabelValues(name), m.connects.WithLabelValues(name), m.memory, name}
}

func (m *meters) connected(up bool) {
	if !up {
		m.up.Set(0)
		return
	}
	m.up.Set(1)
	m.connects.Inc()
}

// resident notes the memory of a process.
func (m *meters) resident(bytes int64) { m.memory.WithLabelValues(m.name).Set(float64(bytes)) }
