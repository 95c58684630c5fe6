package service

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// FuzzAudioFrame: decoding in place says what protobuf says.
func FuzzAudioFrame(f *testing.F) {
	for _, m := range []*imv1.UploadAudioRequest{
		{},
		{Data: &imv1.UploadAudioRequest_Chunk{}},
		{Data: &imv1.UploadAudioRequest_Chunk{Chunk: []byte("chunk")}},
		{Data: &imv1.UploadAudioRequest_Metadata{Metadata: &imv1.AudioMetadata{}}},
		{Data: &imv1.UploadAudioRequest_Metadata{Metadata: &imv1.AudioMetadata{UserId: "u", RoomId: "r", Format: "opus", Size: 1 << 40, Duration: 1.5}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append(b, 0x12, 1, 'x'))          // and a chunk
		f.Add(append(b, 0x0a, 3, 0x0a, 1, 'v')) // and metadata
		f.Add(append(b, 0x0a, 3, 0x0a, 1, 0xff))
		f.Add(append(b, 0x0a, 9))
		f.Add(append(b, 0x08, 1, 0x15, 1, 2, 3, 4, 0x1b, 0x1c, 0x22, 0))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want imv1.UploadAudioRequest
		wantErr := proto.Unmarshal(data, &want)
		var got audioFrame
		defer got.free()
		got.UnmarshalInPlace(mem.BufferSlice{mem.SliceBuffer(data)})
		switch {
		case (got.err == nil) != (wantErr == nil):
			t.Fatalf("%v; protobuf says %v", got.err, wantErr)
		case wantErr != nil:
			return
		}
		_, isChunk := want.GetData().(*imv1.UploadAudioRequest_Chunk)
		if got.hasChunk != isChunk || !bytes.Equal(got.chunk, want.GetChunk()) || !proto.Equal(got.metadata, want.GetMetadata()) {
			t.Fatalf("%+v; protobuf says %v", got, &want)
		}
	})
}
