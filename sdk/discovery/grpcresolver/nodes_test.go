package grpcresolver_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/discovery/grpcresolver"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	service  = "im-service"
	patience = time.Minute // of tests that wait for something; only failing ones wait so long
)

// A node is a server that says who answered.
type node struct {
	healthv1.UnimplementedHealthServer
	info        *discovery.ServiceInfo
	server      *grpc.Server
	work        time.Duration // of each call
	connections atomic.Int32  // that were ever opened
}

func (n *node) Check(ctx context.Context, _ *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	time.Sleep(n.work)
	return new(healthv1.HealthCheckResponse), grpc.SetHeader(ctx, metadata.Pairs("node", n.info.ID))
}

func (*node) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*node) HandleRPC(context.Context, stats.RPCStats)                         {}
func (*node) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (n *node) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnBegin); ok {
		n.connections.Add(1)
	}
}

// start starts a node with a weight and stops it when the test ends.
func start(t *testing.T, id, weight string, options ...grpc.ServerOption) *node {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{info: &discovery.ServiceInfo{
		ID: id, Name: service, Address: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port,
		Metadata: map[string]string{discovery.MetadataWeight: weight},
	}}
	n.server = grpc.NewServer(append(options, grpc.StatsHandler(n))...)
	healthv1.RegisterHealthServer(n.server, n)
	served := make(chan error, 1)
	go func() { served <- n.server.Serve(listener) }()
	t.Cleanup(func() {
		n.server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("Serve: %v", err)
		}
	})
	return n
}

func registry(t *testing.T, nodes ...*node) *discovery.StaticDiscovery {
	t.Helper()
	d, err := discovery.NewStaticDiscovery()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for _, n := range nodes {
		register(t, d, n)
	}
	return d
}

func register(t *testing.T, d discovery.ServiceDiscovery, n *node) {
	t.Helper()
	if err := d.Register(t.Context(), n.info); err != nil {
		t.Fatal(err)
	}
}

func deregister(t *testing.T, d discovery.ServiceDiscovery, n *node) {
	t.Helper()
	if err := d.Deregister(t.Context(), n.info.ID); err != nil {
		t.Fatal(err)
	}
}

// A caller is a connection to the service.
type caller struct {
	conn   *grpc.ClientConn
	client healthv1.HealthClient
}

func dial(t *testing.T, d discovery.ServiceDiscovery, policy string) *caller {
	t.Helper()
	return dialTo(t, "hermod:///"+service, grpcresolver.DialOptions(d, policy)...)
}

func dialTo(t *testing.T, target string, options ...grpc.DialOption) *caller {
	t.Helper()
	conn, err := grpc.NewClient(target, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &caller{conn: conn, client: healthv1.NewHealthClient(conn)}
}

// call returns the ID of the node that answered.
func (c *caller) call(ctx context.Context, options ...grpc.CallOption) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var header metadata.MD
	_, err := c.client.Check(ctx, new(healthv1.HealthCheckRequest), append(options, grpc.Header(&header))...)
	return strings.Join(header.Get("node"), ","), err
}

// count makes n calls and returns how many each node answered.
func (c *caller) count(t *testing.T, n int) map[string]int {
	t.Helper()
	answers := make(map[string]int)
	for range n {
		id, err := c.call(t.Context())
		if err != nil {
			t.Fatalf("call: %v", err)
		}
		answers[id]++
	}
	return answers
}

// until makes rounds of calls until their answers are as wanted.
func (c *caller) until(t *testing.T, what string, calls int, wanted func(map[string]int) bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		answers := c.count(t, calls)
		if wanted(answers) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("want %s, but the last %d calls were answered by %v", what, calls, answers)
		}
	}
}
