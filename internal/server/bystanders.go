package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
)

// bystanders are the streams of a gRPC listener that do none of the node's business, such as those of health and
// reflection. Nothing but their clients ends them, and a client may watch health as long as it is there: a server that
// waited for them would stop by force each time.
type bystanders struct {
	stopping context.Context
	leave    context.CancelFunc // ends them, and those that open from then on
}

func newBystanders() *bystanders {
	b := &bystanders{}
	b.stopping, b.leave = context.WithCancel(context.Background())
	return b
}

// serve serves one of them. When they are ended, a watch is told Unavailable; to what was reading gRPC has said Canceled by
// itself.
func (b *bystanders) serve(srv any, ss grpc.ServerStream, handler grpc.StreamHandler) error {
	defer context.AfterFunc(b.stopping, grpcstream.CancelOf(ss.Context()))()
	err := handler(srv, ss)
	if err != nil && b.stopping.Err() != nil {
		return status.Error(codes.Unavailable, "the node is stopping")
	}
	return err
}
