package bench

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// Codec is a gRPC codec that passes bytes on as they are and encodes messages as protobuf: a load
// generator, and a server that is compared with one, spend their time elsewhere.
type Codec struct{}

// taker takes an encoded message without having it decoded first. The bytes are valid during the
// call only.
type taker func(b []byte) error

// Name implements encoding.CodecV2.
func (Codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	switch v := v.(type) {
	case mem.BufferSlice:
		return v, nil
	case []byte:
		return mem.BufferSlice{mem.SliceBuffer(v)}, nil
	case proto.Message:
		b, err := proto.Marshal(v)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return nil, fmt.Errorf("cannot encode %T", v)
}

// Unmarshal implements encoding.CodecV2.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	if len(data) == 1 {
		return decode(data[0].ReadOnlyData(), v)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return decode(whole.ReadOnlyData(), v)
}

func decode(b []byte, v any) error {
	switch v := v.(type) {
	case taker:
		return v(b)
	case proto.Message:
		return proto.Unmarshal(b, v)
	}
	return fmt.Errorf("cannot decode into %T", v)
}
