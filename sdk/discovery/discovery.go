package discovery

import "context"

// What ServiceInfo.Health may say. Empty means HealthUnknown.
const (
	HealthHealthy   = "healthy"
	HealthUnhealthy = "unhealthy"
	HealthUnknown   = "unknown"
)

// ServiceInfo is one instance of a service.
type ServiceInfo struct {
	ID       string
	Name     string
	Address  string // host name or IP
	Port     int    // 0: Address is a complete target already
	Tags     []string
	Metadata map[string]string
	Health   string // HealthHealthy, HealthUnhealthy or HealthUnknown
}

// ServiceDiscovery registers instances and finds them.
type ServiceDiscovery interface {
	// Register makes an instance known until Deregister or Close.
	Register(ctx context.Context, service *ServiceInfo) error
	// Deregister makes the instance with this ID unknown.
	Deregister(ctx context.Context, serviceID string) error
	// Discover returns the present instances of a service.
	Discover(ctx context.Context, serviceName string) ([]*ServiceInfo, error)
	// Watch sends the instances of a service whenever they change, and closes the channel when
	// ctx ends or the discovery is closed.
	Watch(ctx context.Context, serviceName string) (<-chan []*ServiceInfo, error)
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
