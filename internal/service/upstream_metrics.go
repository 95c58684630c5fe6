package service

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
)

// UpstreamMetrics is a biz.UpstreamMeter.
type UpstreamMetrics struct {
	requests *prometheus.CounterVec
	retries  *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewUpstreamMetrics returns fresh instruments, registered nowhere yet.
func NewUpstreamMetrics() *UpstreamMetrics {
	return &UpstreamMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_upstream_requests_total", Help: "Requests of clients for business services, by service and outcome.",
		}, []string{"service", "outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_upstream_retries_total", Help: "Attempts after the first of such requests, by service.",
		}, []string{"service"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hermod_upstream_request_seconds", Help: "How long such requests took, with all their attempts, by service.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}, []string{"service"}),
	}
}

// Asked implements biz.UpstreamMeter.
func (m *UpstreamMetrics) Asked(service string, o biz.UpstreamOutcome, took time.Duration) {
	m.requests.WithLabelValues(service, o.String()).Inc()
	m.seconds.WithLabelValues(service).Observe(took.Seconds())
}

// Retried implements biz.UpstreamMeter.
func (m *UpstreamMetrics) Retried(service string) { m.retries.WithLabelValues(service).Inc() }

// Collectors returns the instruments for registration.
func (m *UpstreamMetrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.retries, m.seconds}
}

var (
	descInstances = prometheus.NewDesc("hermod_upstream_instances",
		"Instances of business services that are known, by service and state of their breaker (closed, half-open, open).", []string{"service", "breaker"}, nil)
	descRegistered = prometheus.NewDesc("hermod_upstream_registrations", "Instances that have registered themselves.", nil, nil)
	descInFlight   = prometheus.NewDesc("hermod_upstream_in_flight", "Requests that services are answering, by service.", []string{"service"}, nil)
)

// InstanceGauges tell how instances of business services are, at the moment that somebody asks.
type InstanceGauges struct{ services *biz.Services }

// NewInstanceGauges returns gauges that are registered nowhere yet.
func NewInstanceGauges(s *biz.Services) *InstanceGauges { return &InstanceGauges{s} }

// Collectors returns the instruments for registration.
func (g *InstanceGauges) Collectors() []prometheus.Collector { return []prometheus.Collector{g} }

// Describe implements prometheus.Collector.
func (g *InstanceGauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- descInstances
	ch <- descRegistered
	ch <- descInFlight
}

// Collect implements prometheus.Collector.
func (g *InstanceGauges) Collect(ch chan<- prometheus.Metric) {
	type state struct{ service, breaker string }
	instances, inFlight, registered := map[state]int{}, map[string]int64{}, 0
	for _, i := range g.services.States() {
		for _, breaker := range []string{"closed", "half-open", "open"} {
			instances[state{i.Service, breaker}] += 0 // all three, so that graphs have no holes
		}
		instances[state{i.Service, i.Breaker}]++
		inFlight[i.Service] += i.Calls
		if i.Registered {
			registered++
		}
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for s, n := range instances {
		gauge(descInstances, float64(n), s.service, s.breaker)
	}
	for service, n := range inFlight {
		gauge(descInFlight, float64(n), service)
	}
	gauge(descRegistered, float64(registered))
}
