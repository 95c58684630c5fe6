package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/game-im/hermod/internal/biz"
)

// strict returns the service under a name, answering InvalidArgument where a request cannot be
// decoded, such as one with invalid UTF-8: grpc-go would say Internal, as if the fault were ours.
func strict(desc grpc.ServiceDesc, name string, malformed func(error) error) *grpc.ServiceDesc {
	desc.ServiceName = name
	methods := make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: strictHandler(m.Handler, malformed)}
	}
	desc.Methods = methods
	return &desc
}

func strictHandler(next grpc.MethodHandler, malformed func(error) error) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, ic grpc.UnaryServerInterceptor) (any, error) {
		return next(srv, ctx, func(req any) error {
			if err := decode(req); err != nil {
				return malformed(err)
			}
			return nil
		}, ic)
	}
}

// malformedRequest is what the sender of an undecodable request is told.
func malformedRequest(err error) *biz.Error {
	return biz.Errorf(biz.KindInvalid, "MALFORMED", "the request could not be decoded: %s", status.Convert(err).Message())
}
