package discovery_test

import (
	"testing"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/discovery/discoverytest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// What the Nacos SDK leaves behind: for each client that it closed, and for its log.
		goleak.IgnoreAnyFunction("github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client/naming_http.(*PushReceiver).startServer.func1"),
		goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
	)
}

// balancers are all kinds.
var balancers = map[string]func() discovery.LoadBalancer{
	"RoundRobin":         func() discovery.LoadBalancer { return discovery.NewRoundRobinBalancer() },
	"Random":             func() discovery.LoadBalancer { return discovery.NewRandomBalancer() },
	"WeightedRoundRobin": func() discovery.LoadBalancer { return discovery.NewWeightedRoundRobinBalancer() },
	"ConsistentHash":     func() discovery.LoadBalancer { return discovery.NewConsistentHashBalancer() },
}

func TestBalancers(t *testing.T) {
	t.Parallel()
	for name, open := range balancers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			discoverytest.Balancer(t, open)
		})
	}
}

func TestStaticDiscovery(t *testing.T) {
	t.Parallel()
	discoverytest.Discovery(t, discoverytest.Registry{
		Open: func(t *testing.T) discovery.ServiceDiscovery {
			d, err := discovery.NewStaticDiscovery()
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
	})
}

// The suite for registries that several clients share, run against one that they do.
func TestSharedDiscovery(t *testing.T) {
	t.Parallel()
	shared := &sharedRegistry{}
	discoverytest.Discovery(t, discoverytest.Registry{Open: shared.open, Shared: true})
}
