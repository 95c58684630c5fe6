package natsexport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"
)

const (
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 2 * time.Second
	// maxRefusals is how often the stream may refuse an event before it is given up, so that one which is never taken
	// does not keep back all others.
	maxRefusals = 10
)

// window is what the stream has not acknowledged, in order. When the oldest comes to nothing, it and all that were published
// behind it are published again: the stream knows those that it has by their ids, and gets the others in order.
type window struct {
	js     jetstream.JetStream
	config *Config
	log    *slog.Logger
	in     chan *nats.Msg
	ending chan struct{} // closed when there will be nothing more
	kill   chan struct{} // closed when there is no more time
	done   chan int      // receives what is left when run ends

	// These belong to run.
	ensured  bool // the stream was found
	flights  []*flight
	sent     int // so many of flights have been published
	failures int // in a row
	resume   time.Time
	told     rate.Sometimes
}

// flight is an event on its way.
type flight struct {
	msg      *nats.Msg
	ack      jetstream.PubAckFuture // of the last time that it was published
	refusals int
}

func newWindow(js jetstream.JetStream, c *Config, log *slog.Logger, ensured bool) *window {
	return &window{
		js: js, config: c, log: log, in: make(chan *nats.Msg), ensured: ensured,
		ending: make(chan struct{}), kill: make(chan struct{}), done: make(chan int, 1), told: rate.Sometimes{Interval: time.Second},
	}
}

// add waits for a place in the window.
func (w *window) add(ctx context.Context, msg *nats.Msg) error {
	select {
	case w.in <- msg:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the stream acknowledges nothing, and %d events wait: %w", w.config.InFlight, ctx.Err())
	}
}

// close ends run when the window is empty, or ctx is done. It returns what was left then.
func (w *window) close(ctx context.Context) (left int) {
	close(w.ending)
	stop := context.AfterFunc(ctx, func() { close(w.kill) })
	defer stop()
	return <-w.done
}

// run publishes until the window was closed.
func (w *window) run() {
	defer func() { w.done <- len(w.flights) }()
	ending := w.ending
	for ending != nil || len(w.flights) > 0 {
		again := w.publish()
		in := w.in
		if len(w.flights) == w.config.InFlight {
			in = nil
		}
		var acked <-chan *jetstream.PubAck
		var failed <-chan error
		if w.sent > 0 {
			acked, failed = w.flights[0].ack.Ok(), w.flights[0].ack.Err()
		}
		select {
		case msg := <-in:
			w.flights = append(w.flights, &flight{msg: msg})
		case <-acked:
			w.flights, w.sent, w.failures = w.flights[1:], w.sent-1, 0
		case err := <-failed:
			w.fail(err)
		case <-again:
		case <-ending:
			ending = nil
		case <-w.kill:
			return
		}
	}
}

// publish sends what was not, and returns what tells when to come again, if something is left.
func (w *window) publish() (again <-chan time.Time) {
	if w.sent == len(w.flights) {
		return nil
	}
	if wait := time.Until(w.resume); wait > 0 {
		return time.After(wait)
	}
	if !w.ensured {
		if err := w.ensure(); err != nil {
			w.fail(err)
			return time.After(time.Until(w.resume))
		}
	}
	for w.sent < len(w.flights) {
		ack, err := w.js.PublishMsgAsync(w.flights[w.sent].msg)
		if errors.Is(err, nats.ErrMaxPayload) {
			w.giveUp(w.sent, err)
			continue
		}
		if err != nil {
			w.fail(err)
			return time.After(time.Until(w.resume))
		}
		w.flights[w.sent].ack = ack
		w.sent++
	}
	return nil
}

// ensure looks for the stream once NATS is there for the first time.
func (w *window) ensure() error {
	ctx, cancel := context.WithTimeout(context.Background(), w.config.AckTimeout)
	defer cancel()
	err := w.config.ensure(ctx, w.js)
	w.ensured = err == nil
	return err
}

// fail has everything published again, after a while. An event that the stream itself has refused too often is given up.
func (w *window) fail(err error) {
	w.told.Do(func() {
		w.log.Warn("the stream does not take events, which wait", "stream", w.config.Stream, "waiting", len(w.flights), "error", err)
	})
	var refusal *jetstream.APIError
	if errors.As(err, &refusal) && w.sent > 0 {
		if w.flights[0].refusals++; w.flights[0].refusals == maxRefusals {
			w.giveUp(0, err)
		}
	}
	w.sent = 0
	backoff := min(firstBackoff<<min(w.failures, 10), lastBackoff)
	w.failures++
	w.resume = time.Now().Add(backoff/2 + rand.N(backoff/2))
}

// giveUp drops an event.
func (w *window) giveUp(at int, err error) {
	msg := w.flights[at].msg
	w.log.Error("an event is not exported", "subject", msg.Subject, "id", msg.Header.Get(nats.MsgIdHdr), "bytes", len(msg.Data), "error", err)
	w.flights = append(w.flights[:at:at], w.flights[at+1:]...)
}
