package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
)

// runUpstream is the command `bench upstream`: the business service that a node and the bare proxy are
// given, until ctx ends.
func runUpstream(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench upstream", flag.ContinueOnError)
	addr := fs.String("addr", "127.0.0.1:0", "address to serve UpstreamService on")
	if err := fs.Parse(args); err != nil {
		return err
	}
	lis, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Println("business service on", lis.Addr())
	return serveUpstream(ctx, lis)
}

func serveUpstream(ctx context.Context, lis net.Listener) error {
	srv := grpc.NewServer()
	registerUpstream(srv, &echo{})
	defer context.AfterFunc(ctx, srv.Stop)()
	return srv.Serve(lis)
}

// registerUpstream serves under both names that nodes may call.
func registerUpstream(srv *grpc.Server, impl upstreamv1.UpstreamServiceServer) {
	upstreamv1.RegisterUpstreamServiceServer(srv, impl)
	older := upstreamv1.UpstreamService_ServiceDesc
	older.ServiceName = strings.Replace(older.ServiceName, "hermod.upstream.v1.", "gatesvr.proto.", 1)
	srv.RegisterService(&older, impl)
}

// echo answers everything with what was asked.
type echo struct {
	upstreamv1.UnimplementedUpstreamServiceServer
}

// ProcessRequest implements UpstreamServiceServer.
func (*echo) ProcessRequest(_ context.Context, req *upstreamv1.UpstreamRequest) (*upstreamv1.UpstreamResponse, error) {
	return &upstreamv1.UpstreamResponse{Code: 200, Message: "success", Data: req.GetData(), ClientSeqId: req.GetClientSeqId()}, nil
}

// GetStatus implements UpstreamServiceServer.
func (*echo) GetStatus(context.Context, *upstreamv1.StatusRequest) (*upstreamv1.StatusResponse, error) {
	return &upstreamv1.StatusResponse{Status: "healthy"}, nil
}
