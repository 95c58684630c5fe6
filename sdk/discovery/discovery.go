package discovery

import (
	"context"
	"errors"
)

var (
	// ErrNoService means that there is no instance to choose: none is known, or all are unhealthy
	// or refused.
	ErrNoService = errors.New("discovery: no usable service instance")
	// ErrClosed is returned by what was closed.
	ErrClosed = errors.New("discovery: closed")
)

// ServiceDiscovery registers instances and finds them. Implementations are safe for concurrent
// use, keep copies of what they are given and return copies that the caller may change. They
// pass sdk/discovery/discoverytest.
type ServiceDiscovery interface {
	// Register makes an instance known until Deregister or Close. It refuses what
	// ServiceInfo.Validate refuses. An instance without an ID gets its Key as ID; one whose ID is
	// registered already replaces that one.
	Register(ctx context.Context, service *ServiceInfo) error
	// Deregister makes the instance with this ID unknown. It is no error if it is so already.
	Deregister(ctx context.Context, serviceID string) error
	// Discover returns the present instances of a service. A service without instances is an
	// empty list and no error.
	Discover(ctx context.Context, serviceName string) ([]*ServiceInfo, error)
	// Watch sends the instances of a service, first the present ones, be they none, and then all
	// of them again whenever they change. A reader that is late finds the latest list instead of
	// those that he missed. The channel is closed when ctx ends or the discovery is closed, and
	// for no other reason: failures of the network are overcome inside.
	Watch(ctx context.Context, serviceName string) (<-chan []*ServiceInfo, error)
	// Close ends all watches and makes the instances that were registered here unknown. Later
	// calls return ErrClosed, except Close, which does nothing then.
	Close() error
}

// LoadBalancer chooses an instance.
type LoadBalancer interface {
	// Select chooses one of services, or of the instances of the last Update when services is
	// empty. It returns ErrNoService when there is none to choose.
	Select(services []*ServiceInfo) (*ServiceInfo, error)
	// Update tells the balancer of the present instances.
	Update(services []*ServiceInfo)
}

// FailureReporter is a LoadBalancer that can be told what became of a choice. All balancers of
// this package are.
type FailureReporter interface {
	// Failed says that the instance could not be reached just now, or was lost. Select passes
	// over it for a while, as long as there is another one: 5 s at first, and twice as long
	// after each further failure, up to a minute. An instance without a failure for as long
	// again after that has a clean slate.
	Failed(service *ServiceInfo)
}
