package hermod

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/plugins/remote"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
	"github.com/game-im/hermod/internal/service"
	"github.com/game-im/hermod/internal/webhook"
)

// meters are the parts of a node that have instruments.
type meters struct {
	Store       *data.DB
	Blobs       *data.Blobs
	Node        *node.Node
	Server      *server.Metrics
	Gateway     *service.GatewayMetrics
	Revisions   *biz.Revisions
	Idle        *biz.IdleRooms
	Audio       *service.AudioMetrics
	Transcripts *service.TranscriptMetrics
	Streams     server.Streams
	Watches     *protocol.Watches
	Registry    *registry.Metrics
	Upstream    *service.UpstreamMetrics
	Services    *biz.Services
	Live        *conf.Live
	Cluster     broker.Cluster

	Certificates *server.Certificates
	Plugins      *plugins.Metrics
	Webhooks     *webhook.Metrics
	Outside      *remote.Plugins
	Hosted       *plugins.Host
}

// newMetricsRegistry gathers the instruments of everything that has some.
func newMetricsRegistry(m meters) (prometheus.Gatherer, error) {
	r := prometheus.NewRegistry()
	all := []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	for _, owner := range []interface{ Collectors() []prometheus.Collector }{
		m.Store, m.Blobs, m.Node, m.Server, m.Gateway, m.Audio, m.Transcripts, m.Streams.IM, m.Streams.Gateway, m.Watches, m.Registry, m.Upstream,
		service.NewInstanceGauges(m.Services), service.NewExpiryCounters(m.Revisions, m.Idle), m.Live, m.Certificates, m.Plugins, m.Webhooks, m.Outside, m.Hosted,
	} {
		all = append(all, owner.Collectors()...)
	}
	if owner, ok := m.Cluster.(interface{ Collectors() []prometheus.Collector }); ok { // a node that is alone has none
		all = append(all, owner.Collectors()...)
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register a metric: %w", err)
		}
	}
	return r, nil
}
