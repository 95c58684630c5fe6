package bench

import (
	"math"
	"time"
)

// Counts are of a whole run, the warm-up included. Sends are messages, calls or requests.
type Counts struct {
	Sent       int64 `json:"sent"`
	Accepted   int64 `json:"accepted"`
	Refused    int64 `json:"refused"`
	Unanswered int64 `json:"unanswered"`
	Expected   int64 `json:"expected"` // deliveries of what was accepted
	Delivered  int64 `json:"delivered"`
	Missing    int64 `json:"missing"` // of those expected
}

func (n *Counts) addLane(l *lane) {
	// In this order, so that a snapshot never has more answers than sends.
	accepted, refused := l.accepted.Load(), l.refused.Load()
	sent := l.sent.Load()
	n.Sent += sent
	n.Accepted += accepted
	n.Refused += refused
	n.Unanswered += sent - accepted - refused
}

// Latency is how long things took, in milliseconds; all is 0 when there was none. Of each, at most one
// part in 64 is too much.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
}

func newLatency(h *histogram) Latency {
	ms := func(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }
	return Latency{h.total, ms(h.quantile(0.5)), ms(h.quantile(0.99)), ms(h.quantile(0.999)), ms(h.max)}
}

// ServerUse is what the node's process used while it was measured.
type ServerUse struct {
	CPUSeconds float64 `json:"cpu_seconds"` // user and system
	// RSSBytes is the resident memory at the end, and RSSBytesPerConnection its growth since before the
	// first client connected, for each.
	RSSBytes              int64   `json:"rss_bytes"`
	RSSBytesPerConnection float64 `json:"rss_bytes_per_connection"`
	// What was done in one second of the process's CPU time.
	AcceptedPerCPUSecond  float64 `json:"accepted_per_cpu_second"`
	DeliveredPerCPUSecond float64 `json:"delivered_per_cpu_second"`
}

// Result is what a run has shown.
type Result struct {
	Mode        Mode      `json:"mode"`
	Transport   Transport `json:"transport"`
	Protocol    Protocol  `json:"protocol"`
	Connections int       `json:"connections"`
	Rooms       int       `json:"rooms,omitempty"`
	Size        int       `json:"size"`
	Interrupted bool      `json:"interrupted"`

	// Seconds were measured, and what follows is of that time.
	Seconds            float64 `json:"seconds"`
	AcceptedPerSecond  float64 `json:"accepted_per_second"`
	DeliveredPerSecond float64 `json:"delivered_per_second"`
	// Answer is from when something was due to its answer, which for a message means that it is
	// stored; Delivery from then to a receiver.
	Answer   Latency    `json:"answer"`
	Delivery Latency    `json:"delivery"`
	Server   *ServerUse `json:"server,omitempty"`

	Total  Counts       `json:"total"`
	Errors []ErrorCount `json:"errors"`
}

// ErrorTotal is how many errors there were, of all kinds.
func (r *Result) ErrorTotal() (n int64) {
	for _, e := range r.Errors {
		n += e.Count
	}
	return n
}

// mark is a moment at which a measurement begins or ends.
type mark struct {
	when   time.Time
	counts Counts
	usage  Usage
	read   bool // usage is known
}

// between relates what was done from one moment to another to the time that it took.
func (r *Result) between(base Usage, from, to mark) {
	r.Seconds = to.when.Sub(from.when).Seconds()
	accepted := float64(to.counts.Accepted - from.counts.Accepted)
	delivered := float64(to.counts.Delivered - from.counts.Delivered)
	r.AcceptedPerSecond, r.DeliveredPerSecond = accepted/r.Seconds, delivered/r.Seconds
	if !from.read || !to.read {
		return
	}
	// A process that has used less than a tick has used up to one.
	cpu := max(to.usage.CPU-from.usage.CPU, clockTick).Seconds()
	r.Server = &ServerUse{
		CPUSeconds: cpu, RSSBytes: to.usage.RSS,
		RSSBytesPerConnection: float64(to.usage.RSS-base.RSS) / float64(r.Connections),
		AcceptedPerCPUSecond:  accepted / cpu,
		DeliveredPerCPUSecond: delivered / cpu,
	}
}
