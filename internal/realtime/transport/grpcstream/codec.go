package grpcstream

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that this one passes everything else to
	"google.golang.org/grpc/mem"
)

// raw is what Conn reads and writes: bytes that are a message already.
type raw struct {
	out mem.BufferSlice
	in  []byte
}

// Codec passes the frames of a Conn through unchanged and leaves all other messages to protobuf.
// A server that has streams of this package is made with grpc.ForceServerCodecV2(Codec()).
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

type codec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(*raw); ok {
		return r.out, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*raw); ok {
		r.in = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}
