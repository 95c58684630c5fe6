package client

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// connection is one stream to the server, from its opening to its end. Safe for concurrent use,
// except that one goroutine reads.
type connection struct {
	ep     *endpoint
	stream imv1.IMService_StreamMessagesClient
	ctx    context.Context
	cancel context.CancelCauseFunc

	header  metadata.MD   // what the server answered
	session uint64        // number of the session that it carries
	resumed bool          // that session existed before
	plain   bool          // the server knows none of the extensions
	beat    time.Duration // between heartbeats

	turn   chan struct{} // held by who writes
	hungUp bool          // nothing more is written; guarded by turn

	frames   atomic.Uint64 // read so far
	moving   atomic.Bool   // somebody sees to it that the client moves
	waiting  atomic.Bool   // the reader waits for OnMessage, so silence means nothing
	beatSent atomic.Int64  // when the heartbeat was sent that has no answer yet, in nanoseconds since epoch; else 0

	mu     sync.Mutex
	timers []*time.Timer
	ended  bool
	calls  int            // unary calls and uploads that use ep
	closed bool           // ep is released with the last call
	active sync.WaitGroup // timers' work
}

// write sends one frame when it is this goroutine's turn. An error that is not ctx's means that
// the stream has ended, and its reader knows why.
func (cn *connection) write(ctx context.Context, req *imv1.MessageRequest) error {
	if err := cn.takeTurn(ctx); err != nil {
		return err
	}
	return cn.inTurn(ctx, func() error { return cn.stream.Send(req) })
}

// inTurn runs what writes to the stream and passes on the turn, which the caller has, when it is done. It returns
// before that when ctx ends: a stream takes nothing more from some point on if the other side does not read, and
// only its own end would have it give up.
func (cn *connection) inTurn(ctx context.Context, write func() error) error {
	done := make(chan error, 1)
	if !cn.spawn(func() {
		defer cn.passTurn()
		done <- write()
	}) {
		cn.passTurn()
		return context.Cause(cn.ctx)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (cn *connection) takeTurn(ctx context.Context) error {
	select {
	case cn.turn <- struct{}{}:
		if cn.hungUp {
			cn.passTurn()
			return ErrDisconnected
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-cn.ctx.Done():
		return context.Cause(cn.ctx)
	}
}

func (cn *connection) passTurn() { <-cn.turn }

// hangUp ends this side of the stream. The server then ends its own.
func (cn *connection) hangUp(ctx context.Context) {
	if cn.takeTurn(ctx) != nil {
		return
	}
	defer cn.passTurn()
	cn.hungUp = true
	_ = cn.stream.CloseSend() // always nil in grpc-go
}

// fail ends the connection because of cause; its reader then returns.
func (cn *connection) fail(cause error) { cn.cancel(cause) }

// spawn runs work in a goroutine that end waits for. It is false when the connection has ended.
func (cn *connection) spawn(work func()) bool {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cn.ended {
		return false
	}
	cn.active.Go(work)
	return true
}

// after runs work once, d from now, unless the connection has ended by then.
func (cn *connection) after(d time.Duration, work func()) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cn.ended {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		cn.mu.Lock()
		defer cn.mu.Unlock()
		cn.drop(timer)
		if !cn.ended {
			cn.active.Go(work)
		}
	})
	cn.timers = append(cn.timers, timer)
}

func (cn *connection) drop(timer *time.Timer) {
	for i, t := range cn.timers {
		if t == timer {
			cn.timers = slices.Delete(cn.timers, i, i+1)
			return
		}
	}
}

// hold keeps the endpoint open for a call although the client moves meanwhile, until the function that
// it returns is called.
func (cn *connection) hold() (release func()) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.calls++
	return func() {
		cn.mu.Lock()
		cn.calls--
		last := cn.closed && cn.calls == 0
		cn.mu.Unlock()
		if last {
			cn.ep.release(nil)
		}
	}
}

// end releases everything the connection holds and waits for its goroutines; failure is what was
// wrong with the endpoint, or nil. Called once, by the reader.
func (cn *connection) end(failure error) {
	cn.stop(failure)
	cn.ep.release(failure)
}

// retire is end for a connection that was left in peace: calls that are under way go on to their ends.
func (cn *connection) retire() {
	cn.stop(ErrMoved)
	cn.mu.Lock()
	cn.closed = true
	last := cn.calls == 0
	cn.mu.Unlock()
	if last {
		cn.ep.release(nil)
	}
}

func (cn *connection) stop(cause error) {
	cn.cancel(cause)
	cn.mu.Lock()
	cn.ended = true
	for _, timer := range cn.timers {
		timer.Stop()
	}
	cn.timers = nil
	cn.mu.Unlock()
	cn.active.Wait()
}
