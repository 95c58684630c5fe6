package grpcstream

import (
	"context"

	"google.golang.org/grpc/tap"
)

type cancelKey struct{}

// Tap is a grpc.ServerInHandle (see grpc.InTapHandle) that gives every call a context which can be
// canceled from outside its handler. That is the one way to make a stream's Recv and a blocked
// Send return without a second goroutine for each stream.
func Tap(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cancel := context.WithCancel(ctx)
	return context.WithValue(ctx, cancelKey{}, cancel), nil
}

// CancelOf returns what cancels the context of a stream that Tap has seen, and nil for any other.
func CancelOf(ctx context.Context) context.CancelFunc {
	cancel, ok := ctx.Value(cancelKey{}).(context.CancelFunc)
	if !ok {
		return nil
	}
	return cancel
}
