package discovery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// ErrNotServing means that an instance answered a check, but not that it serves.
var ErrNotServing = errors.New("discovery: instance does not serve")

const (
	defaultCheckInterval = 10 * time.Second
	maxCheckTime         = 5 * time.Second
)

// GRPCHealthChecker is a HealthChecker by the standard grpc.health.v1.Health/Check, asked for the
// server as a whole. Each check dials anew: it goes through all that a client would go through who
// came now, and is not held back by the backoff of a connection that failed before.
//
// It owns a goroutine for each instance that StartHealthCheck checks, until that has ended.
type GRPCHealthChecker struct {
	options []grpc.DialOption

	mu     sync.Mutex
	checks map[string]*healthCheck
	closed bool
}

// A healthCheck is one StartHealthCheck that has not ended.
type healthCheck struct {
	cancel  context.CancelFunc
	results chan error // holds one result, and is closed by the goroutine that sends
	ended   chan struct{}
}

// NewGRPCHealthChecker returns a checker that dials with these options. Without transport
// credentials among them connections are in plain text.
func NewGRPCHealthChecker(options ...grpc.DialOption) *GRPCHealthChecker {
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	return &GRPCHealthChecker{
		options: append([]grpc.DialOption{plain}, options...),
		checks:  make(map[string]*healthCheck),
	}
}

// Check asks the instance. It takes at most 5 s, or less if ctx ends before; the error then wraps
// that of ctx. An instance that answers anything but SERVING is ErrNotServing. All other errors
// wrap the status of the call.
func (c *GRPCHealthChecker) Check(ctx context.Context, service *ServiceInfo) error {
	if service == nil {
		return errNilInstance
	}
	ctx, cancel := context.WithTimeout(ctx, maxCheckTime)
	defer cancel()
	target := service.Target()
	conn, err := grpc.NewClient(target, c.options...)
	if err != nil {
		return fmt.Errorf("discovery: check %s: %w", target, err)
	}
	defer func() { _ = conn.Close() }() // closing twice is its only error
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, new(healthv1.HealthCheckRequest))
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("discovery: check %s: %w: %w", target, ctx.Err(), err)
	case status.Code(err) == codes.DeadlineExceeded: // the other side's clock was a moment faster
		return fmt.Errorf("discovery: check %s: %w: %w", target, context.DeadlineExceeded, err)
	case err != nil:
		return fmt.Errorf("discovery: check %s: %w", target, err)
	case answer.GetStatus() != healthv1.HealthCheckResponse_SERVING:
		return fmt.Errorf("%w: %s says %s", ErrNotServing, target, answer.GetStatus())
	}
	return nil
}

// StartHealthCheck checks the instance now and at every interval, until ctx ends, StopHealthCheck
// or Close. An interval that is not positive is 10 s. Checks of one instance never overlap: one
// that takes longer than the interval is followed by the next at once.
func (c *GRPCHealthChecker) StartHealthCheck(
	ctx context.Context, service *ServiceInfo, interval time.Duration,
) <-chan error {
	if service == nil {
		return refusedCheck(errNilInstance)
	}
	if interval <= 0 {
		interval = defaultCheckInterval
	}
	service = service.Clone()
	ctx, cancel := context.WithCancel(ctx)
	check := &healthCheck{cancel: cancel, results: make(chan error, 1), ended: make(chan struct{})}
	before, err := c.enter(service.Key(), check)
	if err != nil {
		cancel()
		return refusedCheck(err)
	}
	before.stop()
	go func() {
		defer close(check.ended)
		defer c.leave(service.Key(), check)
		defer close(check.results)
		check.run(ctx, interval, func() error { return c.Check(ctx, service) })
	}()
	return check.results
}

// StopHealthCheck ends the checks of the instance with this Key. Its channel is closed when it
// returns.
func (c *GRPCHealthChecker) StopHealthCheck(serviceID string) {
	c.mu.Lock()
	check := c.checks[serviceID]
	c.mu.Unlock()
	check.stop()
}

// Close ends all checks and waits for them. It always returns nil. Checks that are started later
// report ErrClosed and end.
func (c *GRPCHealthChecker) Close() error {
	c.mu.Lock()
	c.closed = true
	var running []*healthCheck
	for _, check := range c.checks {
		running = append(running, check)
	}
	c.mu.Unlock()
	for _, check := range running {
		check.stop()
	}
	return nil
}

// enter makes check that of the instance and returns the one before, or nil.
func (c *GRPCHealthChecker) enter(key string, check *healthCheck) (before *healthCheck, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	before = c.checks[key]
	c.checks[key] = check
	return before, nil
}

func (c *GRPCHealthChecker) leave(key string, check *healthCheck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checks[key] == check { // it is not when it was replaced
		delete(c.checks, key)
	}
}

// stop ends a check and waits until it has ended. nil is no check.
func (h *healthCheck) stop() {
	if h != nil {
		h.cancel()
		<-h.ended
	}
}

func (h *healthCheck) run(ctx context.Context, interval time.Duration, check func() error) {
	defer h.cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		result := check()
		if ctx.Err() != nil {
			return // the result is about ctx, not about the instance
		}
		select {
		case <-h.results: //nolint:errcheck // nobody has read it, and it is out of date
		default:
		}
		h.results <- result
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// refusedCheck is the channel of a check that cannot be started.
func refusedCheck(err error) <-chan error {
	results := make(chan error, 1)
	results <- err
	close(results)
	return results
}
