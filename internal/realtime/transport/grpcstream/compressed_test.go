package grpcstream_test

import (
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"

	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
)

// TestACompressedStreamIsItsOwnMatter: a program that has linked a compressor, as those that trace do, answers a client
// that compresses in kind. What others get of the same frames is as it was.
func TestACompressedStreamIsItsOwnMatter(t *testing.T) {
	t.Parallel()
	shared := outgoing(t, 0, "shared")
	var mu sync.Mutex
	turn := sync.NewCond(&mu)
	served := 0
	client := dial(t, false, func(c *grpcstream.Conn) error {
		mu.Lock()
		served++
		err := c.Write(shared)
		turn.Broadcast()
		mu.Unlock()
		if err != nil {
			return err
		}
		_, err = c.Read()
		return err
	})
	for i, options := range [][]grpc.CallOption{{grpc.UseCompressor(gzip.Name)}, nil, {grpc.UseCompressor(gzip.Name)}} {
		stream, err := client.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, options...)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		for served <= i {
			turn.Wait()
		}
		mu.Unlock()
		if got := recv(t, stream); got != "shared" {
			t.Errorf("client %d got %q", i, got)
		}
	}
}
