package server

import (
	"context"
	"errors"
	"sync/atomic"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Check is something without which the node cannot serve.
type Check struct {
	Name string
	Err  func(ctx context.Context) error
}

// Readiness is whether the node serves: it has started, is not stopping, and its checks pass. The
// standard gRPC health services follow the first two. Safe for concurrent use.
type Readiness struct {
	serving atomic.Bool
	checks  []Check
	health  *health.Server
}

// NewReadiness returns the readiness of a node that has not started.
func NewReadiness(checks ...Check) *Readiness {
	r := &Readiness{checks: checks, health: health.NewServer()}
	r.SetServing(false)
	return r
}

// SetServing tells that the node serves now, or that it is stopping.
func (r *Readiness) SetServing(serving bool) {
	r.serving.Store(serving)
	status := healthpb.HealthCheckResponse_NOT_SERVING
	if serving {
		status = healthpb.HealthCheckResponse_SERVING
	}
	r.health.SetServingStatus("", status)
	r.health.SetServingStatus(imService, status)
	r.health.SetServingStatus(roomService, status)
	for _, name := range gatewayServices {
		r.health.SetServingStatus(name, status)
	}
}

// Ready implements service.Readiness.
func (r *Readiness) Ready(ctx context.Context) error {
	if !r.serving.Load() {
		return errors.New("starting or stopping")
	}
	for _, c := range r.checks {
		if err := c.Err(ctx); err != nil {
			return errors.New(c.Name + ": " + err.Error())
		}
	}
	return nil
}
