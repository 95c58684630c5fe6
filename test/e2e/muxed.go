package e2e

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/game-im/hermod/sdk/upstream"
)

// Muxed is a business service made with the SDK, in the test's own process.
type Muxed struct {
	Addr string

	t         *testing.T
	server    *grpc.Server
	registrar *upstream.Registrar
}

// ServeMux starts a service that answers with a mux. addr is where it was before, or empty. It is not
// registered anywhere.
func ServeMux(t *testing.T, mux *upstream.Mux, addr string) *Muxed {
	t.Helper()
	if addr == "" {
		addr = freeAddr(t)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &Muxed{Addr: addr, t: t, server: grpc.NewServer()}
	mux.Register(s.server)
	go func() {
		if err := s.server.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	}()
	t.Cleanup(s.server.Stop)
	return s
}

// Register has the service registered at nodes until the test ends, and returns once it is at all of them.
func (s *Muxed) Register(nodes ...*Node) {
	s.t.Helper()
	heard := s.RegisterWith(nodes)
	for range nodes {
		if err := next(s.t, heard); err != nil {
			s.t.Fatal(err)
		}
	}
}

// RegisterWith is Register that does not wait, and returns what the gateways say.
func (s *Muxed) RegisterWith(nodes []*Node, opts ...upstream.Option) (heard <-chan error) {
	s.t.Helper()
	addrs := make([]string, len(nodes))
	for i, n := range nodes {
		addrs[i] = n.Gateway
	}
	changes := make(chan error, 100)
	var err error
	s.registrar, err = upstream.NewRegistrar(upstream.At(addrs...), upstream.Registration{
		Address: s.Addr, Name: "test", Lease: 5 * time.Minute /* no renewal helps */, Log: slog.New(slog.DiscardHandler),
		OnChange: func(_ string, err error) { changes <- err },
	}, opts...)
	if err == nil {
		err = s.registrar.Start(s.t.Context())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.Leave)
	return changes
}

// next returns what comes from a channel, within patience.
func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-within(t).Done():
		t.Fatalf("no %T came", *new(T))
	}
	panic("unreachable")
}

// Leave ends the registration.
func (s *Muxed) Leave() {
	s.t.Helper()
	if err := s.registrar.Stop(context.Background()); err != nil {
		s.t.Error(err)
	}
}
