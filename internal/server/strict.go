package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
	"github.com/game-im/hermod/internal/service"
)

// strict returns the service under a name, letting malformed answer where a request cannot be
// decoded, such as one with invalid UTF-8: grpc-go would say Internal, as if the fault were ours.
// The server needs grpc.ForceServerCodecV2(strictCodec()).
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
			attempt := &decoding{into: req}
			if err := decode(attempt); err != nil {
				return err
			}
			if attempt.err != nil {
				return malformed(attempt.err)
			}
			return nil
		}, ic)
	}
}

// decoding is a request being decoded. gRPC ends a call by itself when its codec fails, so the codec
// is told to keep the failure here.
type decoding struct {
	into any
	err  error
}

// strictCodec returns the codec of this package's servers.
func strictCodec() encoding.CodecV2 { return keepingCodec{grpcstream.Codec()} }

type keepingCodec struct{ encoding.CodecV2 }

// Unmarshal implements encoding.CodecV2.
func (c keepingCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if d, ok := v.(*decoding); ok {
		d.err = c.CodecV2.Unmarshal(data, d.into)
		return nil
	}
	if m, ok := v.(service.InPlace); ok {
		m.UnmarshalInPlace(data)
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// malformedRequest is what the sender of an undecodable request is told.
func malformedRequest(err error) *biz.Error {
	return biz.Errorf(biz.KindInvalid, "MALFORMED", "the request could not be decoded: %v", err)
}
