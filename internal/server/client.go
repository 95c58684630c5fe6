package server

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
	"github.com/game-im/hermod/internal/service"
)

// clientServer is ClientService: the gateway protocol on gRPC streams.
type clientServer struct {
	gatewayv1.UnimplementedClientServiceServer
	handler *gateway.Handler
	log     *slog.Logger
}

// Connect implements gatewayv1.ClientServiceServer.
func (s *clientServer) Connect(stream grpc.BidiStreamingServer[gatewayv1.ClientRequest, gatewayv1.ServerPush]) error {
	ctx := stream.Context()
	conn, err := grpcstream.New(stream, gateway.Proto, false)
	if err != nil {
		return service.Error(s.log, err)
	}
	defer func() { _ = conn.Finish(nil) }() // after a panic; its status is the interceptor's business
	err = s.handler.Serve(ctx, conn, gateway.Opening{
		Identity: biz.IdentityFrom(ctx), Format: gateway.Proto, Transport: "grpc", Remote: remote(ctx),
	})
	var refused *biz.Error
	if errors.As(err, &refused) {
		err = service.Error(s.log, refused)
	}
	return conn.Finish(err)
}

// remote is the address of a stream's client.
func remote(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}
