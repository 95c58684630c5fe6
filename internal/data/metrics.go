package data

import "github.com/prometheus/client_golang/prometheus"

// Reasons why a draft was not stored, as hermod_store_failures_total has them.
const (
	failUnavailable = "unavailable"  // the database could not be written, or the log had stopped
	failOverloaded  = "overloaded"   // too much was waiting
	failConflict    = "conflict"     // the client's id was used for another payload
	failUnknownRoom = "unknown_room" // there is no such room
	failRefused     = "refused"      // the database refused the row
)

// Why messages are deleted, as hermod_store_purged_messages_total has it.
const (
	purgedAge    = "age"    // by message_ttl or max_age
	purgedNumber = "number" // by max_messages
	purgedBytes  = "bytes"  // by max_bytes
	purgedRoom   = "room"   // with their room
)

type metrics struct {
	batches    prometheus.Counter
	batchRows  prometheus.Histogram
	commitTime prometheus.Histogram
	queued     prometheus.Gauge
	writable   prometheus.Gauge
	conflicts  prometheus.Counter
	duplicates prometheus.Counter
	failures   *prometheus.CounterVec
	panics     prometheus.Counter
	flushed    *prometheus.CounterVec
	flushFails *prometheus.CounterVec
	purged     *prometheus.CounterVec
	forgotten  *prometheus.CounterVec
	lookedBack *prometheus.CounterVec
	settled    *prometheus.CounterVec

	retentionLag prometheus.Gauge
	search       searchMetrics
}

func newMetrics() *metrics {
	m := &metrics{
		batches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_store_batches_total", Help: "Commits of messages, failed ones included.",
		}),
		batchRows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hermod_store_batch_rows", Help: "Messages in one commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		commitTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hermod_store_commit_seconds", Help: "Duration of one commit of messages, from begin to durable.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hermod_store_queued_messages", Help: "Messages appended and not answered yet.",
		}),
		writable:  newWritable(),
		conflicts: newConflicts(),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_store_duplicates_total", Help: "Messages answered with the receipt of an earlier send.",
		}),
		failures: counterVec("hermod_store_failures_total", "Messages that were not stored.", "reason"),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hermod_store_panics_total", Help: "Panics in the delivery or the answer of a stored message.",
		}),
		flushed:    counterVec("hermod_store_flushed_marks_total", "Cursors and inbox acknowledgements written.", "kind"),
		flushFails: counterVec("hermod_store_flush_failures_total", "Writes of marks that failed and are tried again.", "kind"),
		purged:     counterVec("hermod_store_purged_rows_total", "Rows deleted because their time was over.", "table"),
		forgotten:  counterVec("hermod_store_purged_messages_total", "Messages deleted, by why they were not kept.", "reason"),
		lookedBack: counterVec("hermod_store_looked_back_messages_total", "Messages read for History and Sync.", "for"),
		retentionLag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hermod_store_retention_lag_seconds",
			Help: "By how much the most overdue message that the last sweep found had outlived its time.",
		}),
		settled: counterVec("hermod_store_settled_pushes_total", "Pushes that were kept in inboxes, by what became of them in the end.", "outcome"),
	}
	for _, outcome := range []string{settledDelivered, settledExpired, settledDropped} {
		m.settled.WithLabelValues(outcome) // present from the start, so that rates are right
	}
	for _, reason := range []string{purgedAge, purgedNumber, purgedBytes, purgedRoom} {
		m.forgotten.WithLabelValues(reason)
	}
	m.search = newSearchMetrics()
	m.writable.Set(1) // a store that has just been opened
	return m
}

func newWritable() prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hermod_store_writable", Help: "0 from a transaction that the store failed until one of 64 KiB succeeds, 1 otherwise.",
	})
}

func newConflicts() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hermod_store_conflicts_total", Help: "Times that a transaction began anew since another one stood in its way.",
	})
}

func counterVec(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
}

func (m *metrics) collectors() []prometheus.Collector {
	return append([]prometheus.Collector{
		m.batches, m.batchRows, m.commitTime, m.queued, m.writable, m.conflicts, m.duplicates, m.failures, m.panics,
		m.flushed, m.flushFails, m.purged, m.forgotten, m.lookedBack, m.settled, m.retentionLag,
	}, m.search.collectors()...)
}
