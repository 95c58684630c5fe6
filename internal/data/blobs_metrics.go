package data

import (
	"context"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
)

// blobMetrics tell what a store of blobs does, whichever it is.
type blobMetrics struct {
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

func newBlobMetrics() *blobMetrics {
	m := &blobMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hermod_blob_seconds", Help: "How long the store of recordings took for one of them, or for a listing, by operation.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}, []string{"operation"}),
		failures: counterVec("hermod_blob_failures_total", "Operations that the store of recordings did not do.", "operation"),
	}
	for _, operation := range []string{"store", "fetch", "delete", "list"} {
		m.seconds.WithLabelValues(operation) // present from the start, so that rates are right
		m.failures.WithLabelValues(operation)
	}
	return m
}

// Collectors returns the instruments for registration.
func (b *Blobs) Collectors() []prometheus.Collector {
	return []prometheus.Collector{b.metrics.seconds, b.metrics.failures}
}

// begin begins what one blob is for, which is one operation however many calls of the store it takes.
func (m *blobMetrics) begin(ctx context.Context, operation string) *blobWork {
	return &blobWork{ctx: ctx, metrics: m, operation: operation}
}

// blobWork is one operation. Its time is that of the store: what passes between its calls is a client's, who sends or
// reads slowly. One goroutine at a time uses it.
type blobWork struct {
	ctx       context.Context //nolint:containedctx // of the operation that it is
	metrics   *blobMetrics
	operation string
	took      time.Duration
	failed    bool
	ended     bool
}

// do times a call of the store.
func (w *blobWork) do(call func() error) error {
	began := time.Now()
	err := call()
	w.took += time.Since(began)
	switch {
	case err == nil, err == io.EOF, w.ctx.Err() != nil, biz.KindOf(err) == biz.KindNotFound: //nolint:errorlint // the end as it is
	default:
		w.failed = true
	}
	return err
}

// without leaves out what somebody else does within a call.
func (w *blobWork) without(f func() error) error {
	began := time.Now()
	defer func() { w.took -= time.Since(began) }()
	return f()
}

// end counts the operation, once.
func (w *blobWork) end() {
	if w.ended {
		return
	}
	w.ended = true
	w.metrics.seconds.WithLabelValues(w.operation).Observe(w.took.Seconds())
	if w.failed {
		w.metrics.failures.WithLabelValues(w.operation).Inc()
	}
}
