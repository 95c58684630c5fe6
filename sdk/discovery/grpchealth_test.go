package discovery_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// A patient answers checks as it is told.
type patient struct {
	healthv1.UnimplementedHealthServer
	sick  atomic.Bool
	stuck atomic.Bool
	asked atomic.Int64
}

func (p *patient) Check(ctx context.Context, _ *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	p.asked.Add(1)
	if p.stuck.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	answer := &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVING}
	if p.sick.Load() {
		answer.Status = healthv1.HealthCheckResponse_NOT_SERVING
	}
	return answer, nil
}

// serve runs a server on loopback until the test ends.
func serve(t *testing.T, register func(*grpc.Server)) *discovery.ServiceInfo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("Serve: %v", err)
		}
	})
	return &discovery.ServiceInfo{
		ID: "a", Name: "im-service", Address: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port,
	}
}

func (p *patient) serve(t *testing.T) *discovery.ServiceInfo {
	t.Helper()
	return serve(t, func(s *grpc.Server) { healthv1.RegisterHealthServer(s, p) })
}

func checker(t *testing.T) *discovery.GRPCHealthChecker {
	t.Helper()
	c := discovery.NewGRPCHealthChecker()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

var _ discovery.HealthChecker = (*discovery.GRPCHealthChecker)(nil)

func TestHealthCheck(t *testing.T) {
	t.Parallel()
	var p patient
	instance, c := p.serve(t), checker(t)
	if err := c.Check(t.Context(), instance); err != nil {
		t.Errorf("a server that serves: %v", err)
	}
	p.sick.Store(true)
	if err := c.Check(t.Context(), instance); !errors.Is(err, discovery.ErrNotServing) || !strings.Contains(err.Error(), "NOT_SERVING") {
		t.Errorf("a server that does not serve: %v, want ErrNotServing", err)
	}
	without := serve(t, func(*grpc.Server) {})
	if err := c.Check(t.Context(), without); status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), without.Target()) {
		t.Errorf("a server without health service: %v, want Unimplemented with the target", err)
	}
	if err := c.Check(t.Context(), nowhere(t)); status.Code(err) != codes.Unavailable {
		t.Errorf("no server: %v, want Unavailable", err)
	}
	if err := c.Check(t.Context(), nil); err == nil {
		t.Error("nil has no error")
	}
}

// nowhere is an instance whose port nobody listens on.
func nowhere(t *testing.T) *discovery.ServiceInfo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return &discovery.ServiceInfo{ID: "nowhere", Address: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port}
}

func TestHealthCheckKeepsTheDeadline(t *testing.T) {
	t.Parallel()
	var p patient
	p.stuck.Store(true)
	instance, c := p.serve(t), checker(t)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Check(short, instance); !errors.Is(err, context.DeadlineExceeded) || status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a server that does not answer: %v, want DeadlineExceeded", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Check(ended, instance); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v, want context.Canceled", err)
	}
}

func TestStartHealthCheckFollowsTheInstance(t *testing.T) {
	t.Parallel()
	var p patient
	instance, c := p.serve(t), checker(t)
	results := c.StartHealthCheck(t.Context(), instance, time.Millisecond)
	instance.Port = 1 // the checker has its own copy
	await := func(want error) {
		t.Helper()
		late := time.After(time.Minute)
		for {
			select {
			case got, open := <-results:
				if !open {
					t.Fatal("the checks ended")
				}
				if errors.Is(got, want) {
					return
				}
			case <-late:
				t.Fatalf("no result %v", want)
			}
		}
	}
	for range 3 {
		p.sick.Store(false)
		await(nil)
		p.sick.Store(true)
		await(discovery.ErrNotServing)
	}
}

// A reader that sleeps does not hold up the checks, and then finds the latest result.
func TestStartHealthCheckKeepsTheLatest(t *testing.T) {
	t.Parallel()
	var p patient
	c := checker(t)
	results := c.StartHealthCheck(t.Context(), p.serve(t), time.Millisecond)
	asked := func(more int64) {
		for until := p.asked.Load() + more; p.asked.Load() < until; {
			time.Sleep(time.Millisecond)
		}
	}
	asked(5)
	p.sick.Store(true)
	asked(3) // the one that had begun, the first of a sick server, and one that shows its result was sent
	if err := <-results; !errors.Is(err, discovery.ErrNotServing) {
		t.Errorf("the latest result is %v, want ErrNotServing", err)
	}
}

func TestStartHealthCheckEnds(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*discovery.GRPCHealthChecker, context.CancelFunc){
		"context": func(_ *discovery.GRPCHealthChecker, cancel context.CancelFunc) { cancel() },
		"stop":    func(c *discovery.GRPCHealthChecker, _ context.CancelFunc) { c.StopHealthCheck("a") },
		"close":   func(c *discovery.GRPCHealthChecker, _ context.CancelFunc) { c.Close() },
	}
	for name, end := range ends {
		for _, stuck := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var p patient
				p.stuck.Store(stuck)
				c := checker(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				results := c.StartHealthCheck(ctx, p.serve(t), time.Hour)
				for p.asked.Load() == 0 {
					time.Sleep(time.Millisecond)
				}
				end(c, cancel)
				for range results { // ends when it is closed
				}
				c.StopHealthCheck("a")
				c.StopHealthCheck("unknown")
			})
		}
	}
}

func TestStartHealthCheckAgain(t *testing.T) {
	t.Parallel()
	var first, second patient
	c := checker(t)
	before := c.StartHealthCheck(t.Context(), first.serve(t), time.Hour)
	after := c.StartHealthCheck(t.Context(), second.serve(t), time.Hour)
	for range before { // was closed by the second start
	}
	if err := <-after; err != nil {
		t.Errorf("the second: %v", err)
	}
	c.StopHealthCheck("a")
	if _, open := <-after; open {
		t.Error("the second goes on after StopHealthCheck")
	}
}

func TestStartHealthCheckRefuses(t *testing.T) {
	t.Parallel()
	c := checker(t)
	refusal := func(results <-chan error) error {
		err := <-results
		if _, open := <-results; open {
			t.Error("the channel is open after a refusal")
		}
		return err
	}
	if err := refusal(c.StartHealthCheck(t.Context(), nil, time.Second)); err == nil {
		t.Error("nil has no error")
	}
	c.Close()
	if err := refusal(c.StartHealthCheck(t.Context(), nowhere(t), time.Second)); !errors.Is(err, discovery.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

// An interval of zero is a default one, not a loop.
func TestStartHealthCheckDoesNotSpin(t *testing.T) {
	t.Parallel()
	var p patient
	c := checker(t)
	results := c.StartHealthCheck(t.Context(), p.serve(t), 0)
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	select {
	case <-results:
		t.Error("a second result came at once")
	case <-time.After(100 * time.Millisecond):
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}
