package frames

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
)

// Frame is encoded frames that go out as one: in protobuf, messages one after another are one message that
// has the items of all.
type Frame [][]byte

// Codec is that of gRPC for protobuf, and passes a Frame on as it is. So an item is encoded once, by whoever
// has it, and what it was made of is not kept.
type Codec struct{}

// Name implements encoding.CodecV2.
func (Codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	switch v := v.(type) {
	case Frame:
		out := make(mem.BufferSlice, len(v))
		for i, item := range v {
			out[i] = mem.SliceBuffer(item)
		}
		return out, nil
	case proto.Message:
		b, err := proto.Marshal(v)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return nil, fmt.Errorf("%T is no message", v)
}

// Unmarshal implements encoding.CodecV2.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	return proto.Unmarshal(buf.ReadOnlyData(), m)
}

// Asked is a call as an item.
func Asked(c *pluginv1.Call) ([]byte, error) {
	return item(&pluginv1.NodeFrame{Calls: []*pluginv1.Call{c}})
}

// Cancelled is the end of a call's patience as an item.
func Cancelled(id uint64) []byte {
	b, _ := proto.Marshal(&pluginv1.NodeFrame{Cancelled: []uint64{id}}) // a number can always be encoded
	return b
}

// Answered is an answer as an item.
func Answered(a *pluginv1.Answer) ([]byte, error) {
	return item(&pluginv1.PluginFrame{Answers: []*pluginv1.Answer{a}})
}

// ErrTooLarge is what has no place in a frame.
var ErrTooLarge = errors.New("it is too large")

func item(m proto.Message) ([]byte, error) {
	b, err := proto.Marshal(m)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it cannot be encoded: %w", err)
	case len(b) > MaxBytes:
		return nil, fmt.Errorf("%w: %d bytes, and at most %d go into a frame", ErrTooLarge, len(b), MaxBytes)
	}
	return b, nil
}
