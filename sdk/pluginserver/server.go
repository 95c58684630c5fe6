package pluginserver

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/plugin"
)

const (
	startWithin = 30 * time.Second
	stopWithin  = 5 * time.Second
)

// Serve serves p to nodes that connect to lis, until ctx ends; it closes lis. What runs then may go on for
// five seconds, before its context ends. Options go to the gRPC server: grpc.Creds has it speak TLS. The
// error is that of lis, or of the plugin's Stop.
func Serve(ctx context.Context, lis net.Listener, p plugin.Plugin, opts ...grpc.ServerOption) error {
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s := &server{plugin: p, ctx: calls, places: make(chan struct{}, frames.MaxUnanswered), drained: make(chan struct{})}
	// Windows of a fixed size: the measuring of the network that finds one sends pings, which cost more
	// than they are worth within a machine.
	g := grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(frames.Codec{}), grpc.MaxRecvMsgSize(frames.MaxBytes),
		grpc.InitialWindowSize(1 << 20), grpc.InitialConnWindowSize(4 << 20),
	}, opts...)...)
	pluginv1.RegisterPluginServiceServer(g, s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		s.drain()
		cancel()
		defer time.AfterFunc(time.Second, g.Stop).Stop()
		g.GracefulStop()
	}()
	err := g.Serve(lis)
	failed()
	<-ended
	if stopped := s.stop(); err == nil {
		err = stopped
	}
	return err
}

// server is a plugin that nodes call.
type server struct {
	pluginv1.UnimplementedPluginServiceServer
	plugin  plugin.Plugin
	ctx     context.Context // of whatever it does for nodes
	places  chan struct{}   // one for each call that runs
	drained chan struct{}   // closed when connections end, whatever the nodes want

	mu      sync.Mutex // held while the plugin starts
	config  proto.Message
	started bool
}

// drain takes all places, so that no call begins any more, and waits for those that run, for a while.
func (s *server) drain() {
	defer close(s.drained)
	late := time.After(stopWithin)
	for range cap(s.places) {
		select {
		case s.places <- struct{}{}:
		case <-late:
			return
		}
	}
}

func (s *server) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stopper, ok := plugin.As[plugin.Stopper](s.plugin)
	if !s.started || !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	return guarded(func() error { return stopper.Stop(ctx) })
}
