package discovery

import (
	"context"
	"time"
)

// HealthChecker asks instances whether they serve. Implementations are safe for concurrent use.
type HealthChecker interface {
	// Check returns nil if the instance serves, and otherwise why not. It takes no longer than
	// ctx allows.
	Check(ctx context.Context, service *ServiceInfo) error
	// StartHealthCheck checks the instance now and then at every interval, and sends what Check
	// returned: nil while it serves. A reader that is late finds the latest result. The channel
	// is closed when ctx ends or by StopHealthCheck. Starting anew for the same Key stops what
	// was started before.
	StartHealthCheck(ctx context.Context, service *ServiceInfo, interval time.Duration) <-chan error
	// StopHealthCheck ends the checks of the instance with this Key, which is its ID if it has
	// one.
	StopHealthCheck(serviceID string)
}
