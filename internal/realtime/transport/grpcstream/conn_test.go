package grpcstream_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
)

func TestFramesAsTheyAreOnTheWire(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		batch bool
		first uint64
		texts []string
		want  []string
	}{
		{"one without a number", false, 0, []string{"hello"}, []string{"hello"}},
		{"one with a number", false, 7, []string{"hello"}, []string{"7:hello"}},
		{"several", false, 0, []string{"a", "bc"}, []string{"a", "bc"}},
		{"several with numbers", false, 9, []string{"a", "bc"}, []string{"9:a", "10:bc"}},
		{"one for a client with envelopes", true, 3, []string{"a"}, []string{"3:a"}},
		{"an envelope", true, 3, []string{"a", "bc", ""}, []string{"3:1 a2 bc0 "}},
		{"an envelope without a number", true, 0, []string{"a", "bc"}, []string{"1 a2 bc"}},
		{"an empty frame", false, 0, []string{""}, []string{""}},
		{"large ones", true, 1, []string{strings.Repeat("x", 100_000), "y"}, []string{"1:100000 " + strings.Repeat("x", 100_000) + "1 y"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, test.batch, func(c *grpcstream.Conn) error {
				for range 2 { // the second time, frames are prepared
					if err := c.Write(outgoing(t, test.first, test.texts...)); err != nil {
						return err
					}
				}
				_, err := c.Read()
				return err
			})
			stream := open(t, client)
			for range 2 {
				for _, want := range test.want {
					if got := recv(t, stream); got != want {
						t.Errorf("got %.40q, want %.40q", got, want)
					}
				}
			}
		})
	}
}

// TestOneFrameToManyStreams writes the same frame on several streams, as a room does.
func TestOneFrameToManyStreams(t *testing.T) {
	t.Parallel()
	const streams = 8
	shared := outgoing(t, 0, "shared")
	var ready sync.WaitGroup
	ready.Add(streams)
	client := dial(t, false, func(c *grpcstream.Conn) error {
		ready.Done()
		ready.Wait()
		return c.Write(shared)
	})
	var wg sync.WaitGroup
	for range streams {
		stream := open(t, client)
		wg.Go(func() {
			var got []byte
			if err := stream.RecvMsg(&got); err != nil || string(got) != "shared" {
				t.Errorf("got %q, %v", got, err)
			}
			if err := end(stream); !errors.Is(err, io.EOF) {
				t.Errorf("ended with %v", err)
			}
		})
	}
	wg.Wait()
}

func TestReadGivesWhatTheClientSent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	ended := make(chan error, 1)
	client := dial(t, false, func(c *grpcstream.Conn) error {
		for {
			data, err := c.Read()
			if err != nil {
				ended <- err
				return nil
			}
			mu.Lock()
			got = append(got, string(data))
			mu.Unlock()
		}
	})
	stream := open(t, client)
	want := []string{"a", "", "\x00\xff", strings.Repeat("x", 50_000)}
	for _, m := range want {
		if err := stream.SendMsg([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, ended); !errors.Is(err, io.EOF) {
		t.Errorf("the clean end is %v", err)
	}
	if err := end(stream); !errors.Is(err, io.EOF) {
		t.Errorf("the client saw %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %d messages, not what was sent", len(got))
	}
}

// TestCloseTellsWhy closes the connection while its handler reads.
func TestCloseTellsWhy(t *testing.T) {
	t.Parallel()
	for why, code := range map[transport.Disconnect]codes.Code{
		transport.Shutdown:                   codes.Unavailable,
		transport.Slow:                       codes.Unavailable,
		transport.StoreGone:                  codes.Unavailable,
		transport.NotStarted:                 codes.Unavailable,
		transport.ConnLost:                   codes.Unavailable,
		transport.TokenExpired:               codes.Unauthenticated,
		transport.BadRequest:                 codes.InvalidArgument,
		transport.Replaced:                   codes.Aborted,
		transport.Kicked.Because("by carol"): codes.Aborted,
	} {
		t.Run(why.Reason, func(t *testing.T) {
			t.Parallel()
			read := make(chan error, 1)
			client := dial(t, false, func(c *grpcstream.Conn) error {
				time.AfterFunc(time.Millisecond, func() {
					c.Close(why)
					c.Close(transport.InternalError) // too late to count
				})
				_, err := c.Read()
				read <- err
				return err
			})
			stream := open(t, client)
			wantStatus(t, end(stream), code)
			wantTrailer(t, stream, fmt.Sprint(why.Code), why.Reason)
			if err := receive(t, read); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("Read returned %v, which is not a lost connection", err)
			}
		})
	}
}

// wantStatus allows for Canceled: a stream that is canceled while it reads or writes gets that status
// from grpc-go itself, ahead of its handler's. That is why there are trailers.
func wantStatus(t *testing.T, err error, code codes.Code) {
	t.Helper()
	if got := status.Code(err); got != code && got != codes.Canceled {
		t.Errorf("status %v, want %v", err, code)
	}
}

func wantTrailer(t *testing.T, stream grpc.ClientStream, code, reason string) {
	t.Helper()
	md := stream.Trailer()
	if got := md.Get(grpcstream.TrailerCode); len(got) != 1 || got[0] != code {
		t.Errorf("%s %q, want %s", grpcstream.TrailerCode, got, code)
	}
	if got := md.Get(grpcstream.TrailerReason); len(got) != 1 || got[0] != reason {
		t.Errorf("%s %q, want %q", grpcstream.TrailerReason, got, reason)
	}
}

// TestCloseFreesABlockedWrite fills the flow control window of a client that does not read.
func TestCloseFreesABlockedWrite(t *testing.T) {
	t.Parallel()
	for _, batch := range []bool{false, true} {
		t.Run(fmt.Sprint("batch ", batch), func(t *testing.T) {
			t.Parallel()
			written := make(chan int, 1<<16)
			failed := make(chan error, 1)
			conns := make(chan *grpcstream.Conn, 1)
			client := dial(t, batch, func(c *grpcstream.Conn) error {
				conns <- c
				out := outgoing(t, 1, strings.Repeat("x", 10_000), strings.Repeat("y", 10_000))
				for i := 0; ; i++ {
					if err := c.Write(out); err != nil {
						failed <- err
						return err
					}
					written <- i
				}
			})
			stream := open(t, client)
			conn := receive(t, conns)
			blocked(t, written)
			conn.Close(transport.Slow)
			if err := receive(t, failed); err == nil {
				t.Error("the blocked write succeeded")
			}
			wantStatus(t, end(stream), codes.Unavailable) // behind what came before
			wantTrailer(t, stream, "3001", transport.Slow.Reason)
		})
	}
}

// blocked returns once a writer has made no progress for a while that is long for a write in
// memory.
func blocked(t *testing.T, written <-chan int) {
	t.Helper()
	receive(t, written)
	for {
		select {
		case <-written:
		case <-time.After(200 * time.Millisecond):
			return
		}
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	refused := status.Error(codes.NotFound, "no such room")
	for name, test := range map[string]struct {
		close  *transport.Disconnect
		result error
		code   codes.Code
	}{
		"a clean end":                    {nil, nil, codes.OK},
		"a refusal":                      {nil, refused, codes.NotFound},
		"closed, then an error":          {&transport.Shutdown, refused, codes.Canceled},
		"closed, then none":              {&transport.Shutdown, nil, codes.Canceled},
		"closed because the client ends": {&transport.Ended, nil, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conns := make(chan *grpcstream.Conn, 1)
			client := dial(t, false, func(c *grpcstream.Conn) error {
				conns <- c
				if test.close != nil {
					c.Close(*test.close)
				}
				return test.result
			})
			err := end(open(t, client))
			if errors.Is(err, io.EOF) {
				err = nil
			}
			if status.Code(err) != test.code {
				t.Errorf("status %v, want %v", err, test.code)
			}
			conn := receive(t, conns)
			if err := conn.Write(outgoing(t, 0, "late")); err == nil {
				t.Error("a frame was written after the end")
			}
			conn.Close(transport.Kicked) // has nothing to close, and does no harm
		})
	}
}

// TestARefusedStreamWasNotEndedByTheClient: a client reads in the trailer whether it should come
// back; a refusal of ours must not read as its own wish.
func TestARefusedStreamWasNotEndedByTheClient(t *testing.T) {
	t.Parallel()
	client := dial(t, false, func(*grpcstream.Conn) error { return status.Error(codes.Unavailable, "try again") })
	stream := open(t, client)
	if err := end(stream); status.Code(err) != codes.Unavailable {
		t.Fatalf("status %v", err)
	}
	if got := stream.Trailer().Get(grpcstream.TrailerCode); len(got) > 0 {
		t.Errorf("trailer %s %q, %q", grpcstream.TrailerCode, got, stream.Trailer().Get(grpcstream.TrailerReason))
	}
}

func TestALostClientEndsRead(t *testing.T) {
	t.Parallel()
	read := make(chan error, 1)
	started := make(chan bool, 1)
	client := dial(t, false, func(c *grpcstream.Conn) error {
		started <- true
		_, err := c.Read()
		read <- err
		return err
	})
	open(t, client)
	receive(t, started)
	client.Close()
	if err := receive(t, read); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a lost client is %v", err)
	}
}

func TestTheTapIsRequired(t *testing.T) {
	t.Parallel()
	lis := bufconn.Listen(1 << 16)
	client := dialListener(t, lis, func(string) (net.Conn, error) { return lis.Dial() }, false,
		func(*grpcstream.Conn) error { return nil }, grpc.ForceServerCodecV2(grpcstream.Codec()))
	if err := end(open(t, client)); err == nil || !strings.Contains(err.Error(), "InTapHandle") {
		t.Errorf("got %v, want what is missing", err)
	}
}

// TestAnIdleStreamCostsNoGoroutine counts what a stream at rest adds in the server: the one that
// grpc-go runs its handler in. On the client's side of this process grpc-go adds some of its own,
// so streams are compared with streams of a handler that does nothing but wait.
func TestAnIdleStreamCostsNoGoroutine(t *testing.T) {
	const streams = 100
	grown := func(serve handler) int {
		started := make(chan bool, streams)
		client := dial(t, false, func(c *grpcstream.Conn) error {
			started <- true
			return serve(c)
		})
		open(t, client)
		receive(t, started)
		before := runtime.NumGoroutine()
		for range streams {
			open(t, client)
			receive(t, started)
		}
		return runtime.NumGoroutine() - before
	}
	stop := make(chan struct{})
	defer close(stop)
	bare := grown(func(*grpcstream.Conn) error { <-stop; return nil })
	idle := grown(func(c *grpcstream.Conn) error {
		if err := c.Write(outgoing(t, 0, "hello")); err != nil {
			return err
		}
		_, err := c.Read()
		return err
	})
	if more := idle - bare; more > streams/10 {
		t.Errorf("%d idle streams have %d goroutines more than bare ones", streams, more)
	}
}
