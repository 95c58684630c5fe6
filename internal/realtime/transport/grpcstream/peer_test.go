package grpcstream_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

const (
	method   = "/test.Test/Stream"
	patience = time.Minute
)

// bytesCodec lets the client of the tests see what is on the wire.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

var _ encoding.CodecV2 = bytesCodec{}

// handler serves one stream; what it returns goes through Conn.Finish.
type handler func(conn *grpcstream.Conn) error

// dial serves streams with a handler and returns a connection to the server.
func dial(t *testing.T, batch bool, serve handler, options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	options = append(options, grpc.ForceServerCodecV2(grpcstream.Codec()), grpc.InTapHandle(grpcstream.Tap))
	return dialListener(t, lis, func(string) (net.Conn, error) { return lis.Dial() }, batch, serve, options...)
}

func dialListener(t *testing.T, lis net.Listener, dialer func(string) (net.Conn, error), batch bool, serve handler, options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	serveOn(t, lis, batch, serve, options...)
	return newClient(t, dialer)
}

func serveOn(t *testing.T, lis net.Listener, batch bool, serve handler, options ...grpc.ServerOption) {
	t.Helper()
	srv := grpc.NewServer(options...)
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Test",
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: "Stream", ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error {
				conn, err := grpcstream.New(stream, transporttest.Text, batch)
				if err != nil {
					return err
				}
				return conn.Finish(serve(conn))
			},
		}},
	}, struct{}{})
	go func() {
		if err := srv.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	}()
	t.Cleanup(srv.Stop)
}

func newClient(t *testing.T, dialer func(string) (net.Conn, error)) *grpc.ClientConn {
	t.Helper()
	client, err := grpc.NewClient("passthrough:///test",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(_ context.Context, addr string) (net.Conn, error) { return dialer(addr) }),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// open opens a stream that lives no longer than the test's patience.
func open(t *testing.T, client *grpc.ClientConn) grpc.ClientStream {
	t.Helper()
	return openFor(t, client, patience)
}

func recv(t *testing.T, stream grpc.ClientStream) string {
	t.Helper()
	var got []byte
	if err := stream.RecvMsg(&got); err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// end reads until the stream ends and returns why.
func end(stream grpc.ClientStream) error {
	var got []byte
	for {
		if err := stream.RecvMsg(&got); err != nil {
			return err
		}
	}
}

func outgoing(t *testing.T, first uint64, texts ...string) []transport.Outgoing {
	t.Helper()
	return transporttest.Frames(t, first, texts...)
}

// receive waits for something from a handler.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}
