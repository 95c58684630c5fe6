// Package discovery says which instances of a service exist, whether they serve, and chooses one of
// them.
//
// A ServiceDiscovery finds instances, a LoadBalancer chooses among them; sdk/client takes one of
// each in its Config, and sdk/discovery/grpcresolver gives them to any gRPC client. Programs that
// know their addresses need no ServiceDiscovery, or a StaticDiscovery.
//
//	StaticDiscovery  memory       known addresses, tests
//	ConsulDiscovery  a Consul agent
//	EtcdDiscovery    etcd         reads also what Kratos registers there
//	NacosDiscovery   Nacos 2      by its own SDK
//
// All of them keep what is registered registered, whatever the registry forgets, and follow a service
// once however many watch it: while a registry is away the watches show what was known last, and
// what has changed within 10 s of its return.
//
// # Balancers
//
//	RoundRobinBalancer          all in turn
//	RandomBalancer              any, each with the same probability
//	WeightedRoundRobinBalancer  in turn, by weight
//	ConsistentHashBalancer      by a key, by weight
//
// All of them pass over instances that are unhealthy, and for a while over those that are reported
// as Failed as long as there is another. Instances are told apart by ServiceInfo.Key, never by
// their place in a list. A balancer serves one service: it remembers only instances of the latest
// list.
//
// Weights are in the metadata, see ServiceInfo.Weight. An instance with a weight that is none, such
// as 0, -1 or 2x, is passed over by the balancers that know weights instead of failing the choice
// of all others; their Refused says which, CheckWeights and Register refuse it beforehand.
//
// # Concurrency
//
// Everything in this package is safe for concurrent use. Balancers own no goroutine, keep the
// *ServiceInfo values they are given and never change them; the caller must not change them
// afterwards either. A discovery, on the other hand, takes and gives copies.
package discovery
