package grpcresolver

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type keyOfCall struct{}

// WithKey returns a context whose calls belong to key: with ConsistentHash the same key leads to
// the same instance. Other policies ignore it. Without a key, calls of one connection all lead to
// one instance.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyOfCall{}, key)
}

// keyed is a LoadBalancer that chooses by key.
type keyed interface {
	SelectByKey(services []*discovery.ServiceInfo, key string) (*discovery.ServiceInfo, error)
}

// Build makes the picker for the instances that are connected. It is a base.PickerBuilder.
func (p *policy) Build(info base.PickerBuildInfo) balancer.Picker {
	k := &picker{conn: p.conn, chooser: p.chooser, results: make(map[string]balancer.PickResult)}
	k.keyed, _ = p.chooser.(keyed)
	ready := make(map[*discovery.ServiceInfo]bool)
	for sub, of := range info.ReadySCs {
		instance, ok := p.instances[of.Address.Addr]
		if !ok {
			continue // it is about to be closed
		}
		ready[instance] = true
		k.connected = append(k.connected, instance)
		k.results[instance.Key()] = balancer.PickResult{SubConn: sub, Done: p.doneWith(instance)}
	}
	if len(k.connected) == 0 {
		return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
	k.all = k.connected
	if k.keyed != nil {
		k.all = slices.Clone(k.connected)
		for address, instance := range p.instances {
			if !ready[instance] && p.conn.of(address) == trying {
				k.all = append(k.all, instance)
			}
		}
	}
	inOrder(k.connected)
	inOrder(k.all)
	p.chooser.Update(k.all)
	return k
}

// doneWith reports calls that could not be made.
func (p *policy) doneWith(instance *discovery.ServiceInfo) func(balancer.DoneInfo) {
	reporter, ok := p.chooser.(discovery.FailureReporter)
	if !ok {
		return nil
	}
	return func(info balancer.DoneInfo) {
		if status.Code(info.Err) == codes.Unavailable {
			reporter.Failed(instance)
		}
	}
}

// inOrder sorts instances that come from a map, so that turns go on where they were.
func inOrder(list []*discovery.ServiceInfo) {
	slices.SortFunc(list, func(a, b *discovery.ServiceInfo) int { return cmp.Compare(a.Key(), b.Key()) })
}

// A picker chooses an instance for each call. It never changes.
type picker struct {
	conn      *firstTries
	chooser   discovery.LoadBalancer
	keyed     keyed                          // chooser, or nil
	connected []*discovery.ServiceInfo       // those with a result
	all       []*discovery.ServiceInfo       // and those that a choice by key waits for
	results   map[string]balancer.PickResult // by Key
}

// Pick chooses. Its errors are no statuses: a call that waits for ready waits for better times.
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	chosen, err := p.choose(info.Ctx, p.all)
	if err != nil {
		return balancer.PickResult{}, err
	}
	if result, ok := p.results[chosen.Key()]; ok {
		return result, nil
	}
	switch p.conn.of(chosen.Target()) {
	case trying, connected:
		return balancer.PickResult{}, balancer.ErrNoSubConnAvailable // until something changes
	}
	if chosen, err = p.choose(info.Ctx, p.connected); err != nil {
		return balancer.PickResult{}, err
	}
	if result, ok := p.results[chosen.Key()]; ok {
		return result, nil
	}
	return balancer.PickResult{}, fmt.Errorf("grpcresolver: the balancer chose %s, which is not connected", chosen.Key())
}

func (p *picker) choose(ctx context.Context, among []*discovery.ServiceInfo) (*discovery.ServiceInfo, error) {
	var chosen *discovery.ServiceInfo
	var err error
	if key, ok := ctx.Value(keyOfCall{}).(string); ok && p.keyed != nil {
		chosen, err = p.keyed.SelectByKey(among, key)
	} else {
		chosen, err = p.chooser.Select(among)
	}
	if err == nil && chosen == nil {
		err = discovery.ErrNoService
	}
	return chosen, err
}
