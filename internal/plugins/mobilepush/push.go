// Package mobilepush is the plugin mobile-push: it notifies people who are away on their phones, by the HTTP v1 API of
// Firebase Cloud Messaging and by Apple's push notification service. It knows of the node what any plugin knows.
//
// Which devices somebody has is known to a service of the team, which is asked, and told of tokens that a provider
// declares dead. A Push is safe for concurrent use. One goroutine, of its reporter, runs between Start and Stop.
package mobilepush

import (
	"context"
	"fmt"
	"log/slog"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/plugin"
)

// Push is the plugin. The zero Push is not ready: see New.
type Push struct {
	config   Config
	metrics  *metrics
	log      *slog.Logger
	writer   *writer
	devices  *directory
	reports  *reporter
	lanes    map[string]*lane // by platform
	progress *lru.Cache[string, map[target]bool]
}

// The capabilities.
var (
	_ plugin.Configurable    = (*Push)(nil)
	_ plugin.Validator       = (*Push)(nil)
	_ plugin.Starter         = (*Push)(nil)
	_ plugin.Stopper         = (*Push)(nil)
	_ plugin.OfflineNotifier = (*Push)(nil)
	_ plugin.Renewable       = (*Push)(nil)
)

// New returns the plugin with its defaults, which sends to nobody before it is configured.
func New() *Push { return &Push{config: defaults(), metrics: newMetrics()} }

// Name implements plugin.Plugin.
func (*Push) Name() string { return "mobile-push" }

// Config implements plugin.Configurable.
func (p *Push) Config() any { return &p.config }

// Renew implements plugin.Renewable. The fresh value counts on in the same metrics, and knows which devices of a
// notification have it already.
func (p *Push) Renew() plugin.Plugin {
	next := New()
	next.metrics, next.progress = p.metrics, p.progress
	return next
}

// Validate implements plugin.Validator. It reads the files that the keys name.
func (p *Push) Validate() error { return p.config.check() }

// Collectors returns what the plugin counts, for registration.
func (p *Push) Collectors() []prometheus.Collector { return p.metrics.collectors() }

// maxUnfinished is how many notifications are remembered that the node will ask for again. At most as many as the
// plugin's concurrency are under way at a time.
const maxUnfinished = 10_000

// Start implements plugin.Starter. Neither the providers nor the service with the devices need be there yet.
func (p *Push) Start(ctx context.Context) (err error) {
	p.log = plugin.Logger(ctx)
	if p.writer, err = newWriter(&p.config); err != nil {
		return err
	}
	if p.devices, err = newDirectory(&p.config.Devices, p.metrics); err != nil {
		return fmt.Errorf("devices.%w", err)
	}
	p.lanes = map[string]*lane{}
	if p.config.FCM.on() {
		provider, err := newFCM(&p.config)
		if err != nil {
			return fmt.Errorf("fcm.%w", err)
		}
		p.lanes[platformFCM] = newLane(platformFCM, provider, p.config.Requests, p.metrics, p.log)
	}
	if p.config.APNs.on() {
		provider, err := newAPNs(&p.config)
		if err != nil {
			return fmt.Errorf("apns.%w", err)
		}
		p.lanes[platformAPNs] = newLane(platformAPNs, provider, p.config.Requests, p.metrics, p.log)
	}
	if p.progress == nil {
		if p.progress, err = lru.New[string, map[target]bool](maxUnfinished); err != nil {
			return err
		}
	}
	p.reports = newReporter(p.devices, p.metrics, p.log)
	return nil
}

// Stop implements plugin.Stopper. It reports the dead tokens that are not reported yet, for three seconds at most.
func (p *Push) Stop(ctx context.Context) error {
	left := p.reports.close(ctx)
	for _, l := range p.lanes {
		l.provider.close()
	}
	p.devices.close()
	if left > 0 {
		return fmt.Errorf("%d dead tokens were not reported; they are found again", left)
	}
	return nil
}
