package grpcresolver_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/discovery/grpcresolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// Any discovery.ServiceDiscovery will do in place of the static one.
func Example() {
	instance, stop := running()
	defer stop()
	found, err := discovery.NewStaticDiscovery(instance)
	check(err)
	defer found.Close()

	conn, err := grpc.NewClient("hermod:///im-service", append(
		grpcresolver.DialOptions(found, grpcresolver.ConsistentHash),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	)...)
	check(err)
	defer conn.Close()

	ctx := grpcresolver.WithKey(context.Background(), "alice") // her calls go to one node
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, new(healthv1.HealthCheckRequest))
	check(err)
	fmt.Println(answer.GetStatus())
	// Output: SERVING
}

// running starts a server and returns where it is and how to stop it.
func running() (instance *discovery.ServiceInfo, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := grpc.NewServer()
	healthv1.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener)
	return &discovery.ServiceInfo{
		Name: "im-service", Address: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port,
	}, server.Stop
}

// check ends the program. A service would try again, or report.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
