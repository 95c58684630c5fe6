// Package discoverytest holds the promises of sdk/discovery as tests that any implementation can
// run: Discovery for a ServiceDiscovery, Balancer for a LoadBalancer.
//
//	func TestMine(t *testing.T) {
//		discoverytest.Discovery(t, discoverytest.Registry{
//			Open: func(t *testing.T) discovery.ServiceDiscovery { return open(t) },
//		})
//	}
//
// The tests use names of services that nobody else uses, so a registry may be shared by them all.
// They wait for what they expect instead of expecting it at once, as registries over a network
// are consistent only eventually.
package discoverytest
