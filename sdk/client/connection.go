package client

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// connection is one stream to the server, from its opening to its end. Safe for concurrent use,
// except that one goroutine reads.
type connection struct {
	ep     *endpoint
	stream imv1.IMService_StreamMessagesClient
	ctx    context.Context
	cancel context.CancelCauseFunc

	session uint64        // number of the session that it carries
	resumed bool          // that session existed before
	plain   bool          // the server knows none of the extensions
	beat    time.Duration // between heartbeats

	turn   chan struct{} // held by who writes
	hungUp bool          // nothing more is written; guarded by turn

	frames   atomic.Uint64 // read so far
	waiting  atomic.Bool   // the reader waits for OnMessage, so silence means nothing
	beatSent atomic.Int64  // when the heartbeat was sent that has no answer yet, in nanoseconds since epoch; else 0

	mu     sync.Mutex
	timers []*time.Timer
	ended  bool
	active sync.WaitGroup // timers' work
}

// write sends one frame when it is this goroutine's turn. An error that is not ctx's means that
// the stream has ended, and its reader knows why.
func (cn *connection) write(ctx context.Context, req *imv1.MessageRequest) error {
	if err := cn.takeTurn(ctx); err != nil {
		return err
	}
	defer cn.passTurn()
	return cn.stream.Send(req)
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

// spawn runs work in a goroutine that end waits for.
func (cn *connection) spawn(work func()) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if !cn.ended {
		cn.active.Go(work)
	}
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

// end releases everything the connection holds and waits for its goroutines; failure is what was
// wrong with the endpoint, or nil. Called once, by the reader.
func (cn *connection) end(failure error) {
	cn.cancel(failure)
	cn.mu.Lock()
	cn.ended = true
	for _, timer := range cn.timers {
		timer.Stop()
	}
	cn.timers = nil
	cn.mu.Unlock()
	cn.active.Wait()
	cn.ep.release(failure)
}
