package pluginserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/plugin"
)

type stream = grpc.BidiStreamingServer[pluginv1.NodeFrame, pluginv1.PluginFrame]

// connection is one node that calls.
type connection struct {
	server *server
	ctx    context.Context // ends with the stream
	out    *frames.Queue
	calls  sync.WaitGroup

	mu      sync.Mutex
	running map[uint64]context.CancelFunc
}

// Connect implements pluginv1.PluginServiceServer.
func (s *server) Connect(st stream) error {
	first, err := st.Recv()
	if err != nil {
		return err
	}
	if first.GetHello() == nil {
		return status.Error(codes.InvalidArgument, "the first frame must have hello")
	}
	d := s.describe(first.GetHello())
	if err := st.Send(&pluginv1.PluginFrame{Description: d}); err != nil {
		return err
	}
	if len(d.GetProblems()) > 0 || d.GetFailure() != "" {
		return nil
	}
	ctx, cancel := context.WithCancel(st.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	c := &connection{server: s, ctx: ctx, out: frames.NewQueue(), running: map[uint64]context.CancelFunc{}}
	return c.serve(st)
}

// serve answers calls until the node has no more and all are answered, or until the plugin stops.
func (c *connection) serve(st stream) error {
	written, over := make(chan struct{}), make(chan struct{}) // over: nothing that matters is put into the queue any more
	go func() {
		defer close(written)
		c.write(st, over)
	}()
	read := make(chan error, 1)
	go func() { read <- c.read(st) }()
	var err error
	select {
	case err = <-read:
		c.calls.Wait()
	case <-c.server.drained:
		err = status.Error(codes.Unavailable, "the plugin stops")
	}
	close(over)
	<-written
	return err
}

// read begins calls until the node has no more, or is gone.
func (c *connection) read(st stream) error {
	for {
		f, err := st.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			c.cancelAll()
			return err
		}
		c.take(f)
	}
}

// write sends what waits, until over and nothing waits.
func (c *connection) write(st stream, over <-chan struct{}) {
	var frame frames.Frame
	last := false
	for {
		select {
		case <-c.out.More():
		case <-over:
			last = true
		}
		runtime.Gosched() // whoever is about to answer goes into the same frame
		for frame = c.out.Take(frame); len(frame) > 0; frame = c.out.Take(frame) {
			if st.SendMsg(frame) != nil {
				return // the stream has ended, and with it what waits for answers
			}
		}
		if last {
			return
		}
	}
}

// take begins the calls of a frame, and ends those that nobody waits for.
func (c *connection) take(f *pluginv1.NodeFrame) {
	for _, call := range f.GetCalls() {
		c.begin(call)
	}
	for _, id := range f.GetCancelled() {
		c.mu.Lock()
		cancel := c.running[id]
		c.mu.Unlock()
		if cancel != nil {
			cancel()
		}
	}
}

func (c *connection) begin(call *pluginv1.Call) {
	select {
	case c.server.places <- struct{}{}:
	default:
		c.answer(&pluginv1.Answer{}, call.GetId(), plugin.Unavailable("as many calls run as may at once", nil))
		return
	}
	var ctx context.Context
	var cancel context.CancelFunc
	if ms := call.GetTimeoutMs(); ms > 0 {
		ctx, cancel = context.WithTimeout(c.ctx, time.Duration(ms)*time.Millisecond)
	} else {
		ctx, cancel = context.WithCancel(c.ctx)
	}
	c.mu.Lock()
	c.running[call.GetId()] = cancel
	c.mu.Unlock()
	c.calls.Go(func() {
		defer func() { <-c.server.places }()
		a := &pluginv1.Answer{}
		err := guarded(func() error { return c.server.handle(ctx, call, a) })
		c.mu.Lock()
		delete(c.running, call.GetId())
		c.mu.Unlock()
		cancel()
		c.answer(a, call.GetId(), err)
	})
}

// answer says how a call ended. What cannot be said is a failure.
func (c *connection) answer(a *pluginv1.Answer, id uint64, err error) {
	a.Id = id
	if err != nil {
		a.Outcome = &pluginv1.Answer_Error{Error: frames.FromError(err)}
	}
	item, err := frames.Answered(a)
	if err != nil {
		item, err = frames.Answered(&pluginv1.Answer{Id: id, Outcome: &pluginv1.Answer_Error{Error: frames.FromError(err)}})
	}
	if err == nil {
		c.out.Put(item)
	}
}

func (c *connection) cancelAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cancel := range c.running {
		cancel()
	}
}

// guarded has a panic become an error. Its stack goes to the log, since nothing else tells where it was.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
			fmt.Fprintf(os.Stderr, "%v\n%s", err, debug.Stack())
		}
	}()
	return f()
}
