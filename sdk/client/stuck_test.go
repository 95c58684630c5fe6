package client

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// stuck is a server that accepts every session and reads nothing, as it looks to who writes: Send does not
// return before the stream ends.
type stuck struct {
	imv1.IMServiceClient
	writes chan struct{} // one has begun
}

func (s stuck) StreamMessages(ctx context.Context, _ ...grpc.CallOption) (grpc.BidiStreamingClient[imv1.MessageRequest, imv1.MessageResponse], error) {
	return stuckStream{ctx: ctx, writes: s.writes}, nil
}

type stuckStream struct {
	grpc.BidiStreamingClient[imv1.MessageRequest, imv1.MessageResponse]
	ctx    context.Context
	writes chan struct{}
}

func (s stuckStream) Header() (metadata.MD, error) {
	return metadata.Pairs(keySessionID, "s1", keyResumeTicket, "t"), nil
}
func (s stuckStream) Trailer() metadata.MD { return nil }
func (s stuckStream) CloseSend() error     { return nil }

func (s stuckStream) Send(*imv1.MessageRequest) error {
	s.writes <- struct{}{}
	<-s.ctx.Done()
	return io.EOF
}

func (s stuckStream) Recv() (*imv1.MessageResponse, error) {
	<-s.ctx.Done()
	return nil, s.ctx.Err()
}

// TestSendEndsWithItsContext, also when the server does not read and the stream takes nothing more.
func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := stuck{writes: make(chan struct{}, 8)}
		c, err := NewClientWithGRPCAndConfig(server, &Config{UserID: "alice", HeartbeatInterval: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Connect(); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for range 2 { // the first is written, the second waits for its turn
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := c.SendTextMessageContext(ctx, "lobby", "hi"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Send: %v", err)
			}
			cancel()
		}
		if err := c.WatchPresence(t.Context(), []string{"bob"}, nil); err == nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WatchPresence: %v", err)
		}
		if took := time.Since(begun); took != 32*time.Second { // the last has 30 s by the Config
			t.Errorf("it took %v", took)
		}
		if err := c.Disconnect(); err != nil {
			t.Errorf("Disconnect: %v", err)
		}
		if n := len(server.writes); n != 1 {
			t.Errorf("%d writes at once", n)
		}
	})
}

// TestStuckHeartbeatIsSilence: what cannot even be written gets no answer.
func TestStuckHeartbeatIsSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan error, 1)
		c, err := NewClientWithGRPCAndConfig(stuck{writes: make(chan struct{}, 8)}, &Config{
			UserID: "alice", HeartbeatInterval: time.Second, MaxRetries: 1,
			Backoff: func(int) time.Duration { return time.Hour }, OnDisconnect: func(err error) { lost <- err },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Connect(); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := <-lost; !errors.Is(err, errSilent) || time.Since(begun) != 2*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		if err := c.Disconnect(); err != nil {
			t.Errorf("Disconnect: %v", err)
		}
	})
}
