package hub

import "github.com/prometheus/client_golang/prometheus"

// metrics count what a hub's channels do for their order.
type metrics struct {
	reordered, duplicates, reads, filled, leftToSessions, told prometheus.Counter
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "hermod_channel_" + name, Help: help})
	}
	return &metrics{
		reordered:      counter("reordered_total", "Publications that came before their turn, and were delivered in it without a read of the log."),
		duplicates:     counter("duplicates_total", "Publications that were dropped since they had been delivered."),
		reads:          counter("hole_reads_total", "Reads of the log for what a channel's sessions on this node had missed."),
		filled:         counter("hole_publications_total", "Publications that they brought."),
		leftToSessions: counter("holes_left_total", "Holes that each session was left to read for itself: too large, partly gone, or out of reach."),
		told:           counter("gaps_told_total", "Gaps in channels that keep nothing, of which their sessions were told."),
	}
}

// Collectors returns the hub's instruments for registration.
func (h *Hub) Collectors() []prometheus.Collector {
	m := h.readers.metrics
	return []prometheus.Collector{m.reordered, m.duplicates, m.reads, m.filled, m.leftToSessions, m.told}
}
