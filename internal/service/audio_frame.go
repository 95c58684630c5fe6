package service

import (
	"errors"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// InPlace is a message that refers to the bytes it was received in rather than to a copy of its own.
// A codec that knows it calls UnmarshalInPlace in place of decoding.
type InPlace interface {
	// UnmarshalInPlace decodes data, which the message may keep a reference to. What is wrong with it
	// is the message's own business.
	UnmarshalInPlace(data mem.BufferSlice)
}

// The fields of an UploadAudioRequest.
const (
	fieldMetadata = 1
	fieldChunk    = 2
)

var errFieldNumber = errors.New("a field number is out of range")

// audioFrame is an UploadAudioRequest whose chunk lies in the buffer that it came in. Decoded as
// usual, a recording would pass through memory as garbage once, which the heap would grow for.
type audioFrame struct {
	buffer   mem.Buffer // nil: nothing was received
	metadata *imv1.AudioMetadata
	chunk    []byte // valid until free
	hasChunk bool   // it may be empty
	err      error
}

// UnmarshalInPlace implements InPlace.
func (f *audioFrame) UnmarshalInPlace(data mem.BufferSlice) {
	f.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
	f.err = f.decode(f.buffer.ReadOnlyData())
}

func (f *audioFrame) decode(b []byte) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if !number.IsValid() {
			return errFieldNumber
		}
		b = b[n:]
		var value []byte
		if kind == protowire.BytesType {
			value, n = protowire.ConsumeBytes(b)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if kind != protowire.BytesType {
			continue // of no field that is known
		}
		if err := f.set(number, value); err != nil {
			return err
		}
	}
	return nil
}

// set keeps a field; of metadata and chunk the last one counts.
func (f *audioFrame) set(number protowire.Number, value []byte) error {
	switch number {
	case fieldMetadata:
		f.chunk, f.hasChunk = nil, false
		if f.metadata == nil {
			f.metadata = &imv1.AudioMetadata{}
		}
		return proto.UnmarshalOptions{Merge: true}.Unmarshal(value, f.metadata)
	case fieldChunk:
		f.metadata, f.chunk, f.hasChunk = nil, value, true
	}
	return nil
}

// free gives the buffer back and forgets what was received.
func (f *audioFrame) free() {
	if f.buffer != nil {
		f.buffer.Free()
	}
	*f = audioFrame{}
}
