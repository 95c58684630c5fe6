package e2e

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
)

// Business is a business service in this process, under the older name that every gateway knows. It can
// be stopped, in the middle of its answers, and started again at its address.
type Business struct {
	upstreamv1.UnimplementedUpstreamServiceServer
	Addr string

	t     *testing.T
	reply func(ctx context.Context, r *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error)

	mu   sync.Mutex
	srv  *grpc.Server
	done chan error
}

// Serve starts a service that runs until the test ends.
func Serve(t *testing.T, reply func(context.Context, *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error)) *Business {
	t.Helper()
	b := &Business{Addr: freeAddr(t), t: t, reply: reply}
	b.Start()
	t.Cleanup(b.Stop)
	return b
}

// Start listens at the service's address.
func (b *Business) Start() {
	b.t.Helper()
	lis, err := net.Listen("tcp", b.Addr)
	if err != nil {
		b.t.Error(err)
		return
	}
	desc := upstreamv1.UpstreamService_ServiceDesc
	desc.ServiceName = "gatesvr.proto.UpstreamService"
	srv, done := grpc.NewServer(), make(chan error, 1)
	srv.RegisterService(&desc, b)
	go func() { done <- srv.Serve(lis) }()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.srv, b.done = srv, done
}

// Stop ends the service at once, with whatever it is answering. It may be called again.
func (b *Business) Stop() {
	b.mu.Lock()
	srv, done := b.srv, b.done
	b.srv = nil
	b.mu.Unlock()
	if srv != nil {
		srv.Stop()
		if err := <-done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			b.t.Error(err)
		}
	}
}

// ProcessRequest implements upstreamv1.UpstreamServiceServer.
func (b *Business) ProcessRequest(ctx context.Context, r *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
	return b.reply(ctx, r)
}

// says is a reply that tells who has answered.
func says(who string) func(context.Context, *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
	return func(_ context.Context, r *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
		return &upstreamv1.UpstreamResponse{Code: 200, Message: who, Data: r.GetData(), Headers: map[string]string{"by": who}}, nil
	}
}
