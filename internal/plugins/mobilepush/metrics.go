package mobilepush

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of a notification for one device.
type outcome string

// The outcomes, which docs/mobile-push.md explains.
const (
	sent        outcome = "sent"
	dead        outcome = "dead"
	refused     outcome = "refused"
	denied      outcome = "denied"
	tooLarge    outcome = "too_large"
	garbled     outcome = "garbled"
	throttled   outcome = "throttled"
	unavailable outcome = "unavailable"
	leftAlone   outcome = "left_alone"
	expired     outcome = "expired"
	noText      outcome = "no_text"
	noProvider  outcome = "no_provider"
	invalid     outcome = "invalid"
)

type metrics struct {
	notifications *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
	lookups       *prometheus.CounterVec
	reports       *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_mobile_push_notifications_total", Help: "Notifications for single devices, by provider and what became of them.",
		}, []string{"provider", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hermod_mobile_push_request_seconds", Help: "How long a request to a provider took.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 10),
		}, []string{"provider"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_mobile_push_lookups_total", Help: "Users whose devices were looked up, by outcome.",
		}, []string{"outcome"}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_mobile_push_dead_tokens_total", Help: "Tokens that a provider declared dead, by what became of the report.",
		}, []string{"outcome"}),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.notifications, m.seconds, m.lookups, m.reports}
}

// count counts a notification. Platforms that there are not, which a service can name as it likes, are one.
func (m *metrics) count(platform string, o outcome) {
	if platform != platformFCM && platform != platformAPNs {
		platform = "unknown"
	}
	m.notifications.WithLabelValues(platform, string(o)).Inc()
}

func (m *metrics) took(platform string, d time.Duration) {
	m.seconds.WithLabelValues(platform).Observe(d.Seconds())
}
