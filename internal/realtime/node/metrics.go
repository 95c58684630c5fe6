package node

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/realtime/session"
)

var (
	descSessions = prometheus.NewDesc("hermod_sessions", "Sessions by state.", []string{"state"}, nil)
	descFrames   = prometheus.NewDesc("hermod_session_queue_frames", "Frames queued or unacknowledged, in all sessions.", nil, nil)
	descBytes    = prometheus.NewDesc("hermod_session_queue_bytes", "Their bytes.", nil, nil)
	descChannels = prometheus.NewDesc("hermod_channels", "Channels with a subscriber on this node.", nil, nil)
)

// Collectors returns the node's instruments for registration.
func (n *Node) Collectors() []prometheus.Collector {
	return slices.Concat(n.core.Metrics.Collectors(), n.core.Load.Collectors(), n.hub.Collectors(), []prometheus.Collector{gauges{n}})
}

// gauges are read from the sessions when somebody asks, so that counting costs the hot path nothing.
type gauges struct{ node *Node }

// Describe implements prometheus.Collector.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSessions, descFrames, descBytes, descChannels} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	byState := map[session.State]int{session.Active: 0, session.Detached: 0}
	frames, bytes := 0, 0
	for _, s := range g.node.hub.All() {
		st := s.Stats()
		byState[st.State]++
		frames += st.QueueFrames
		bytes += st.QueueBytes
	}
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	for state, n := range byState {
		if state != session.Closed {
			gauge(descSessions, n, state.String())
		}
	}
	gauge(descFrames, frames)
	gauge(descBytes, bytes)
	gauge(descChannels, g.node.hub.Channels())
}
