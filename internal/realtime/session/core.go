package session

import (
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Config bounds every session of a node.
type Config struct {
	QueueBytes   int           // frames waiting and unacknowledged; at least one fits whatever its size
	ResumeWindow time.Duration // how long a session waits for its client to come back
	StallTimeout time.Duration // how long a client may take nothing of what waits for it
	ExpiryGrace  time.Duration // how long a session outlives its token
	AckTimeout   time.Duration // what is unacknowledged for so long is written again; see Options.Resend
	MaxResends   int           // how often that happens until the client acknowledges something
	BoundFor     time.Duration // how long a frame waits for a request that it is bound to and that has not come
	Load         overload.Limits
}

// Core is what the sessions of a node share.
type Core struct {
	config  atomic.Pointer[Config]
	Writer  *Writer
	Catcher *Catcher
	Metrics *Metrics
	Load    *overload.Guard
	Log     *slog.Logger
	told    func(Event) // nil: nobody wants to know
}

// NewCore returns what the sessions of a node share. Writer and Catcher are run by the node.
func NewCore(cfg Config, log *slog.Logger) *Core {
	m := NewMetrics()
	c := &Core{Writer: NewWriter(log), Catcher: NewCatcher(log), Metrics: m, Load: overload.NewGuard(cfg.Load, log), Log: log}
	c.SetConfig(cfg)
	return c
}

// Config returns the bounds of the moment; nothing may change them in place.
func (c *Core) Config() *Config { return c.config.Load() }

// SetConfig replaces the bounds of every session, those that exist included.
func (c *Core) SetConfig(cfg Config) {
	c.config.Store(&cfg)
	c.Load.SetLimits(cfg.Load)
}

// queueBytes is how much a session may have queued at the moment.
func (c *Core) queueBytes() int { return c.Load.Most(c.Config().QueueBytes) }

// Metrics counts what sessions do.
type Metrics struct {
	Deliveries    prometheus.Counter
	Writes        prometheus.Counter
	Retransmits   prometheus.Counter
	FellBehind    prometheus.Counter
	CaughtUp      prometheus.Counter
	Resumes       *prometheus.CounterVec
	Disconnects   *prometheus.CounterVec
	EncodeErrors  prometheus.Counter
	BacklogErrors prometheus.Counter
	Expired       prometheus.Counter
	ephemerals    *prometheus.CounterVec
	asides        [asideOutcomes]prometheus.Counter // of ephemerals, looked up once
	settled       *prometheus.CounterVec
}

// NewMetrics returns fresh instruments, registered nowhere yet.
func NewMetrics() *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "hermod_session_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hermod_session_" + name, Help: help}, []string{label})
	}
	m := &Metrics{
		Deliveries:    counter("deliveries_total", "Frames written to connections."),
		Writes:        counter("writes_total", "Batches of frames written to connections."),
		Retransmits:   counter("retransmits_total", "Frames written again, after a resume or because nobody acknowledged them."),
		FellBehind:    counter("fell_behind_total", "Times a subscription began to read the log instead of following live."),
		CaughtUp:      counter("caught_up_total", "Times a subscription reached the live edge."),
		Resumes:       vec("resumes_total", "Attempts to resume, by result (resumed, resync).", "result"),
		Disconnects:   vec("disconnects_total", "Connections closed by the node, by code.", "code"),
		EncodeErrors:  counter("encode_errors_total", "Frames dropped because they could not be encoded; always 0 unless there is a bug."),
		BacklogErrors: counter("backlog_errors_total", "Reads of the log for a session that is behind that failed; each is tried again."),
		Expired:       counter("expired_total", "Frames dropped because their time was over before they were written."),
		ephemerals:    vec("ephemerals_total", "Ephemeral frames for sessions that want events, by what became of them (queued, conflated, dropped).", "outcome"),
		settled:       vec("settled_pushes_total", "Push targets that were answered queued and waited in sessions, by what became of them in the end.", "outcome"),
	}
	for i, outcome := range [asideOutcomes]string{"queued", "conflated", "dropped"} {
		m.asides[i] = m.ephemerals.WithLabelValues(outcome)
	}
	for _, o := range []Offered{Acked, Expired, Unsure, Gone} {
		m.settled.WithLabelValues(o.end()) // present from the start, so that rates are right
	}
	return m
}

// end names what became of a push that had been waiting.
func (o Offered) end() string {
	switch o {
	case Acked:
		return "delivered"
	case Expired:
		return "expired"
	case Unsure:
		return "unknown"
	}
	return "dropped"
}

// Settled counts the end of a push target that waited. See Fate.
func (m *Metrics) Settled(o Offered) { m.settled.WithLabelValues(o.end()).Inc() }

// Collectors returns the instruments for registration.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.Deliveries, m.Writes, m.Retransmits, m.FellBehind, m.CaughtUp, m.Resumes, m.Disconnects, m.EncodeErrors,
		m.BacklogErrors, m.Expired, m.ephemerals, m.settled,
	}
}

func (m *Metrics) disconnected(why transport.Disconnect) {
	m.Disconnects.WithLabelValues(strconv.FormatUint(uint64(why.Class()), 10)).Inc()
}
