package hermod

import (
	"log/slog"
	"path/filepath"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/upstream"
)

// newServices returns what answers the requests of gateway sessions.
func newServices(c *conf.Config, caller biz.UpstreamCaller, meter biz.UpstreamMeter, log *slog.Logger) *biz.Services {
	var builtin biz.Upstream = biz.LoginOnly{}
	if c.GetGateway().GetBuiltinUpstream() {
		builtin = biz.Builtin{}
	}
	return biz.NewServices(caller, builtin, meter, upstreamRules(c), log)
}

func newCaller(c *conf.Config) (*upstream.Caller, func(), error) {
	caller, err := upstream.Open(c.GetUpstream().GetTls())
	if err != nil {
		return nil, nil, err
	}
	return caller, caller.Close, nil
}

// newFinder returns what looks for business services in the node's registry.
func newFinder(c *conf.Config, d *doors, services *biz.Services, log *slog.Logger) (*registry.Finder, error) {
	r, err := d.registry(c, filepath.Join(c.GetData().GetDir(), "discovery"))
	if err != nil {
		return nil, err
	}
	return registry.NewFinder(r, services.Names, func(name string, found []registry.Found) {
		endpoints := make([]biz.Endpoint, len(found))
		for i, f := range found {
			endpoints[i] = biz.Endpoint{Address: f.Address, TLS: f.Secure}
		}
		services.Found(name, endpoints)
	}, log), nil
}

func upstreamRules(c *conf.Config) biz.UpstreamRules {
	u := c.GetUpstream()
	rules := biz.UpstreamRules{
		Closed:        !u.GetRegistration(),
		MaxConcurrent: int(u.GetMaxConcurrent()),
		Breaker:       biz.BreakerRules{Failures: int(u.GetBreaker().GetFailures()), OpenFor: u.GetBreaker().GetOpen().AsDuration()},
		Unreachable:   u.GetLease().GetUnreachable().AsDuration(),
		MaxLease:      u.GetLease().GetMax().AsDuration(),
	}
	for _, z := range u.GetZones() {
		if from, to, err := z.Range(); err == nil { // the configuration was checked
			rules.Zones = append(rules.Zones, biz.Zone{Name: z.GetName(), From: from, To: to})
		}
	}
	for _, s := range u.GetServices() {
		addrs, names := s.Split()
		rules.Services = append(rules.Services, biz.ServiceRules{
			Name: s.GetName(), Addresses: addrs, Discovered: names, ByHash: s.GetBalance() == conf.BalanceHash,
			Idempotent: s.GetIdempotent(), Timeout: s.GetTimeout().AsDuration(), MaxConcurrent: int(s.GetMaxConcurrent()),
		})
	}
	for _, r := range u.GetRoutes() {
		name, value := r.HeaderValue()
		rules.Routes = append(rules.Routes, biz.Route{
			Action: r.GetAction(), Zones: r.GetZones(), Header: name, Value: value, Service: r.GetService(),
		})
	}
	return rules
}
