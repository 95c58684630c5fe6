package server_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// stopping stops a server, and tells when it has stopped and whether that was before the deadline.
func stopping(t *testing.T, s listener) <-chan error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	stopped := make(chan error, 1)
	go func() { stopped <- errors.Join(s.Stop(ctx), ctx.Err()) }()
	return stopped
}

// watchAndReflect opens a stream of each kind that waits for news for as long as its client likes, and returns when the
// node has answered on each.
func watchAndReflect(t *testing.T, conn *grpc.ClientConn) (watch healthpb.Health_WatchClient, reflect reflectionpb.ServerReflection_ServerReflectionInfoClient) {
	t.Helper()
	watch, err := healthpb.NewHealthClient(conn).Watch(as(t, ""), &healthpb.HealthCheckRequest{})
	if err == nil {
		_, err = watch.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	if reflect, err = reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(as(t, "")); err != nil {
		t.Fatal(err)
	}
	err = reflect.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	if err == nil {
		_, err = reflect.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	return watch, reflect
}

// TestWatchesDoNotHoldUpAStop: clients with health checks of their own hold one all the time, and each stop would last
// until the deadline.
func TestWatchesDoNotHoldUpAStop(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	for name, conn := range map[string]*grpc.ClientConn{"im": b.im, "gateway": b.gateway} {
		watch, reflect := watchAndReflect(t, conn)
		stopped := stopping(t, b.servers[name])
		if got, err := watch.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("%s: the watch: %v, %v; want Unavailable", name, got, err)
		}
		if got, err := reflect.Recv(); err == nil {
			t.Errorf("%s: reflection goes on with %v", name, got)
		}
		if err := <-stopped; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSessionsHoldUpAStop as they did: they have a way of their own to be sent away.
func TestSessionsHoldUpAStop(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	session := open(t, b, "alice")
	exchange(t, session)
	watch, _ := watchAndReflect(t, b.im)
	stopped := stopping(t, b.servers["im"])
	if got, err := watch.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the watch: %v, %v; want Unavailable", got, err)
	}
	exchange(t, session)
	select {
	case err := <-stopped:
		t.Errorf("stopped under a session, with %v", err)
	default:
	}
	if err := session.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if m, err := session.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, %v", m, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
