package grpcresolver

import (
	"fmt"

	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/resolver"
)

// The policies that a service config can name.
const (
	RoundRobin         = "hermod_round_robin"
	Random             = "hermod_random"
	WeightedRoundRobin = "hermod_weighted_round_robin"
	ConsistentHash     = "hermod_consistent_hash"
)

func init() {
	Register(RoundRobin, func() discovery.LoadBalancer { return discovery.NewRoundRobinBalancer() })
	Register(Random, func() discovery.LoadBalancer { return discovery.NewRandomBalancer() })
	Register(WeightedRoundRobin, func() discovery.LoadBalancer { return discovery.NewWeightedRoundRobinBalancer() })
	Register(ConsistentHash, func() discovery.LoadBalancer { return discovery.NewConsistentHashBalancer() })
}

// Register makes a LoadBalancer a policy that a service config can name. open is called for each
// connection. As with balancer.Register, names are those of the whole process and ignore case, the
// last registration of a name wins, and it is done in an init function only.
func Register(policy string, open func() discovery.LoadBalancer) {
	balancer.Register(&policyBuilder{name: policy, open: open})
}

// ServiceConfig returns the service config that names a policy, for
// grpc.WithDefaultServiceConfig.
func ServiceConfig(policy string) string {
	return fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, policy)
}

type policyBuilder struct {
	name string
	open func() discovery.LoadBalancer
}

func (b *policyBuilder) Name() string { return b.name }

// Build wraps gRPC's base balancer, which connects to all addresses and builds a picker whenever
// another set of them is connected.
func (b *policyBuilder) Build(conn balancer.ClientConn, options balancer.BuildOptions) balancer.Balancer {
	p := &policy{conn: &firstTries{ClientConn: conn}, chooser: b.open()}
	p.Balancer = base.NewBalancerBuilder(b.name, p, base.Config{HealthCheck: true}).Build(p.conn, options)
	return p
}

// policy is the balancer of one connection. gRPC calls its methods one at a time.
type policy struct {
	balancer.Balancer
	conn    *firstTries
	chooser discovery.LoadBalancer

	instances map[string]*discovery.ServiceInfo // by address, as last resolved
	begun     bool
}

// UpdateClientConnState learns which instance is at which address. The base balancer would go on
// with what an address was when it came first, whatever its weight is now.
func (p *policy) UpdateClientConnState(s balancer.ClientConnState) error {
	p.instances = make(map[string]*discovery.ServiceInfo)
	for _, endpoint := range s.ResolverState.Endpoints {
		instance := Instance(endpoint)
		for _, address := range endpoint.Addresses {
			if instance != nil {
				p.instances[address.Addr] = instance
			} else {
				p.instances[address.Addr] = instanceAt(address)
			}
		}
	}
	if !p.begun && len(p.instances) > 0 {
		p.begun = true
		p.conn.expect(p.instances)
	}
	return p.Balancer.UpdateClientConnState(s)
}

// instanceAt is an instance of which only the address is known.
func instanceAt(address resolver.Address) *discovery.ServiceInfo {
	return &discovery.ServiceInfo{ID: address.Addr, Address: address.Addr}
}
