package client

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
)

// sharedOptions are what connections of one's own are dialled with.
var sharedOptions = []grpc.CallOption{grpc.MaxCallRecvMsgSize(maxReceiveBytes)}

// lent is the source of clients that were given a stub: always that stub, which stays open.
type lent struct{ ep endpoint }

func shared(stub imv1.IMServiceClient, rooms imv1.RoomServiceClient) *lent {
	return &lent{endpoint{
		stub:    stub,
		rooms:   rooms,
		name:    "the given connection",
		options: sharedOptions,
		service: &discovery.ServiceInfo{},
		release: func(error) {},
	}}
}

func (l *lent) endpoint(context.Context) (*endpoint, error) { return &l.ep, nil }
