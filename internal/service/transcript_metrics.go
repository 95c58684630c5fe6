package service

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
)

// TranscriptMetrics is a biz.TranscriptMeter.
type TranscriptMetrics struct {
	outcomes *prometheus.CounterVec
	running  prometheus.Gauge
	seconds  prometheus.Histogram
}

// NewTranscriptMetrics returns fresh instruments, registered nowhere yet.
func NewTranscriptMetrics() *TranscriptMetrics {
	m := &TranscriptMetrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_transcripts_total", Help: "Attempts to make a transcript by outcome.",
		}, []string{"outcome"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hermod_transcripts_in_progress", Help: "Transcripts that are being made.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hermod_transcript_seconds", Help: "Duration of one attempt to make a transcript.",
			Buckets: prometheus.ExponentialBuckets(0.1, 2, 14),
		}),
	}
	for o := biz.TranscriptMade; o <= biz.TranscriptLost; o++ {
		m.outcomes.WithLabelValues(o.String()) // present from the start, so that rates are right
	}
	return m
}

// Collectors returns the instruments for registration.
func (m *TranscriptMetrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.outcomes, m.running, m.seconds}
}

// Began implements biz.TranscriptMeter.
func (m *TranscriptMetrics) Began() { m.running.Inc() }

// Ended implements biz.TranscriptMeter.
func (m *TranscriptMetrics) Ended(o biz.TranscriptOutcome, took time.Duration) {
	m.running.Dec()
	m.seconds.Observe(took.Seconds())
	m.outcomes.WithLabelValues(o.String()).Inc()
}
