package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what webhooks do.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	messages *prometheus.CounterVec
	lag      *prometheus.GaugeVec
	held     *prometheus.GaugeVec
}

// NewMetrics returns fresh instruments, registered nowhere yet.
func NewMetrics() *Metrics {
	return &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_webhook_requests_total", Help: "Requests of webhooks, by webhook and outcome.",
		}, []string{"webhook", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hermod_webhook_request_seconds", Help: "How long requests of webhooks took, by webhook.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"webhook"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_webhook_messages_total", Help: "Messages that webhooks are done with, by webhook and outcome.",
		}, []string{"webhook", "outcome"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_webhook_lag_messages", Help: "Messages that a webhook has to deliver, as of its last sweep, on the node that delivers it.",
		}, []string{"webhook"}),
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_webhook_held", Help: "1 while this node delivers a webhook.",
		}, []string{"webhook"}),
	}
}

// Collectors returns the instruments for registration.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.seconds, m.messages, m.lag, m.held}
}

// begin has all that there is of a webhook shown from the start.
func (m *Metrics) begin(webhook string) {
	for _, v := range verdicts {
		m.requests.WithLabelValues(webhook, v)
	}
	for _, outcome := range []string{"delivered", "dead", "missed"} {
		m.messages.WithLabelValues(webhook, outcome)
	}
	m.seconds.WithLabelValues(webhook)
	m.holds(webhook, false)
}

func (m *Metrics) timed(webhook string, send func() response) response {
	began := time.Now()
	r := send()
	m.seconds.WithLabelValues(webhook).Observe(time.Since(began).Seconds())
	m.requests.WithLabelValues(webhook, verdicts[r.verdict]).Inc()
	return r
}

func (m *Metrics) passed(webhook string, delivered int, missed int64) {
	m.messages.WithLabelValues(webhook, "delivered").Add(float64(delivered))
	m.messages.WithLabelValues(webhook, "missed").Add(float64(missed))
}

func (m *Metrics) died(webhook string, messages int) {
	m.messages.WithLabelValues(webhook, "dead").Add(float64(messages))
}

func (m *Metrics) lags(webhook string, messages int64) {
	m.lag.WithLabelValues(webhook).Set(float64(messages))
}

// holds notes whether this node delivers. What another one knows by now is not told of it.
func (m *Metrics) holds(webhook string, held bool) {
	if held {
		m.held.WithLabelValues(webhook).Set(1)
		return
	}
	m.held.WithLabelValues(webhook).Set(0)
	m.lag.DeleteLabelValues(webhook)
}
