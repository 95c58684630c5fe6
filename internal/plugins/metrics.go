package plugins

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what plugins do.
type Metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	running *prometheus.GaugeVec
	open    *prometheus.GaugeVec
	dropped *prometheus.CounterVec

	changes  *prometheus.CounterVec
	outdated *prometheus.GaugeVec
}

// NewMetrics returns fresh instruments, registered nowhere yet.
func NewMetrics() *Metrics {
	return &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_plugin_calls_total", Help: "Calls of plugins, by plugin, hook and outcome.",
		}, []string{"plugin", "hook", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hermod_plugin_call_seconds", Help: "How long the node waited for a call of a plugin, by plugin and hook.",
			Buckets: prometheus.ExponentialBuckets(0.00001, 4, 10),
		}, []string{"plugin", "hook"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_plugin_running", Help: "Calls of a plugin that run, those that were given up included.",
		}, []string{"plugin"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_plugin_left_alone", Help: "1 while a plugin is left alone since it failed too often.",
		}, []string{"plugin"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_plugin_dropped_total", Help: "Events that a plugin was not told of, by plugin and hook.",
		}, []string{"plugin", "hook"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_plugin_changes_total", Help: "Changes of the configuration of a running plugin, by plugin and outcome.",
		}, []string{"plugin", "outcome"}),
		outdated: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_plugin_outdated", Help: "1 while a plugin runs as it was configured before, since it cannot with what the configuration says now.",
		}, []string{"plugin"}),
	}
}

// Collectors returns the instruments for registration.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.calls, m.seconds, m.running, m.open, m.dropped, m.changes, m.outdated}
}

// meters are those of one plugin.
type meters struct {
	all     *Metrics
	plugin  string
	running prometheus.Gauge
	open    prometheus.Gauge

	changes  *prometheus.CounterVec
	outdated prometheus.Gauge
}

func (m *Metrics) of(plugin string) *meters {
	return &meters{
		all: m, plugin: plugin, running: m.running.WithLabelValues(plugin), open: m.open.WithLabelValues(plugin),
		changes: m.changes, outdated: m.outdated.WithLabelValues(plugin),
	}
}

// hook is a capability of one plugin, with what counts its calls: looked up once.
type hook struct {
	name     string
	ok       prometheus.Counter
	refused  prometheus.Counter
	failed   prometheus.Counter
	panicked prometheus.Counter
	late     prometheus.Counter
	busy     prometheus.Counter
	alone    prometheus.Counter
	dropped  prometheus.Counter
	seconds  prometheus.Observer
}

func (m *meters) hook(name string) *hook {
	outcome := func(o string) prometheus.Counter { return m.all.calls.WithLabelValues(m.plugin, name, o) }
	return &hook{
		name: name, ok: outcome("ok"), refused: outcome("refused"), failed: outcome("failed"), panicked: outcome("panicked"),
		late: outcome("late"), busy: outcome("busy"), alone: outcome("left_alone"),
		dropped: m.all.dropped.WithLabelValues(m.plugin, name), seconds: m.all.seconds.WithLabelValues(m.plugin, name),
	}
}

// count counts a call by how it ended, with how long the node waited for it.
func (h *hook) count(err error, took time.Duration) {
	if errors.Is(err, errLeftAlone) {
		h.alone.Inc()
		return
	}
	h.seconds.Observe(took.Seconds())
	h.outcome(err).Inc()
}

func (h *hook) outcome(err error) prometheus.Counter {
	if err == nil {
		return h.ok
	}
	var p *panicked
	_, refused := asRefusal(err)
	switch {
	case refused:
		return h.refused
	case errors.As(err, &p):
		return h.panicked
	case errors.Is(err, errLate):
		return h.late
	case errors.Is(err, errBusy):
		return h.busy
	}
	return h.failed
}
