// Package grpcresolver lets any gRPC client find its service by a discovery.ServiceDiscovery and
// spread its calls by a discovery.LoadBalancer:
//
//	conn, err := grpc.NewClient("hermod:///im-service",
//		append(grpcresolver.DialOptions(found, grpcresolver.RoundRobin), credentials)...)
//
// The connection follows the registry while it lives: it connects to instances that come, and
// those that go finish the calls that they have. Each call chooses among the instances that are
// connected; an instance whose call fails with Unavailable counts as failed for the balancer. When none
// is left in the registry, those listed last stay in use as long as they answer: it may have lost them.
// With ConsistentHash, WithKey says what a call belongs to.
//
// The parts can be had one by one: a Builder is the resolver, for grpc.WithResolvers, which concerns
// one connection alone; the policies, for a service config, work with any resolver. Their names are
// registered with gRPC when this package is linked, as gRPC knows no other way, and all begin with
// "hermod_". Each connection has a balancer of its own.
//
// With TLS, the name that certificates are checked for is that of the service, as it stands in the
// target; grpc.WithAuthority changes it.
package grpcresolver
