package service

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
)

// GatewayMetrics counts pushes.
type GatewayMetrics struct {
	outcomes   *prometheus.CounterVec
	broadcasts prometheus.Counter
	reached    prometheus.Counter
	repeats    prometheus.Counter
}

// NewGatewayMetrics returns fresh instruments, registered nowhere yet.
func NewGatewayMetrics() *GatewayMetrics {
	m := &GatewayMetrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_push_targets_total", Help: "Push targets by outcome.",
		}, []string{"outcome"}),
		broadcasts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_push_broadcasts_total", Help: "Broadcasts.",
		}),
		reached: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_push_broadcast_sessions_total", Help: "Connected sessions that broadcasts were queued for.",
		}),
		repeats: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_push_repeats_total", Help: "Push targets and broadcasts answered from their idempotency key.",
		}),
	}
	for _, o := range biz.Outcomes() {
		m.outcomes.WithLabelValues(o.String()) // present from the start, so that rates are right
	}
	return m
}

// Collectors returns the instruments for registration.
func (m *GatewayMetrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.outcomes, m.broadcasts, m.reached, m.repeats}
}

func (m *GatewayMetrics) outcome(o biz.Outcome) { m.outcomes.WithLabelValues(o.String()).Inc() }

func (m *GatewayMetrics) broadcast(reached int) {
	m.broadcasts.Inc()
	m.reached.Add(float64(reached))
}

// What becomes of an upload.
const (
	uploadStored  = "stored"
	uploadRefused = "refused" // something is wrong with it, or it is one too many
	uploadBroken  = "broken"  // cut, stalled, or in the way of a stop
	uploadFailed  = "failed"  // by a fault of the node or its store
)

// AudioMetrics counts uploads.
type AudioMetrics struct {
	uploads *prometheus.CounterVec
	bytes   prometheus.Counter
	running prometheus.Gauge
}

// NewAudioMetrics returns fresh instruments, registered nowhere yet.
func NewAudioMetrics() *AudioMetrics {
	m := &AudioMetrics{
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_audio_uploads_total", Help: "Uploads of recordings that have ended, by outcome.",
		}, []string{"outcome"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_audio_upload_bytes_total", Help: "Bytes of recordings that were received, of broken uploads too.",
		}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hermod_audio_uploads_running", Help: "Uploads of recordings in progress.",
		}),
	}
	for _, outcome := range []string{uploadStored, uploadRefused, uploadBroken, uploadFailed} {
		m.uploads.WithLabelValues(outcome)
	}
	return m
}

// Collectors returns the instruments for registration.
func (m *AudioMetrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.uploads, m.bytes, m.running}
}

// uploadOutcome names what became of an upload that ended with err.
func uploadOutcome(err error) string {
	if err == nil {
		return uploadStored
	}
	e := biz.AsError(err)
	refused := []biz.Kind{biz.KindInvalid, biz.KindUnauthenticated, biz.KindPermissionDenied, biz.KindNotFound, biz.KindResourceLimit}
	switch {
	case slices.Contains(refused, e.Kind):
		return uploadRefused
	case ours(e):
		return uploadFailed
	}
	return uploadBroken
}
