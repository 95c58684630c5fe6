package kafkaexport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"
)

// window is what Kafka has not acknowledged, in order.
//
// One batch is on its way at a time, and those that come meanwhile are the next one. So when a broker refuses it, nothing is
// behind it: its halves are sent one after the other, until the event that is to blame is alone, and the order of rooms
// holds. Within a batch that is not answered the client knows what to send again, and the broker what it has.
type window struct {
	config  *Config
	log     *slog.Logger
	options []kgo.Opt
	places  chan struct{}    // one is taken by each event that is neither acknowledged nor dropped
	in      chan *kgo.Record // has room for all that have a place
	ending  chan struct{}    // closed when there will be nothing more
	kill    context.CancelFunc
	killed  context.Context // done when there is no more time
	done    chan struct{}   // closed when run has ended

	// These belong to run.
	client   *kgo.Client // nil when the last one has failed
	ensured  bool        // the topic was found
	loaded   bool        // the client knows its partitions
	held     *kgo.Record // the next one, which had no place in the last batch
	failures int         // in a row
	told     rate.Sometimes
}

func newWindow(c *Config, log *slog.Logger, options []kgo.Opt, client *kgo.Client, ensured bool) *window {
	w := &window{
		config: c, log: log, options: options, client: client, ensured: ensured, places: make(chan struct{}, c.InFlight),
		in: make(chan *kgo.Record, c.InFlight), ending: make(chan struct{}), done: make(chan struct{}),
		told: rate.Sometimes{Interval: time.Second},
	}
	w.killed, w.kill = context.WithCancel(context.Background())
	return w
}

// add waits for a place in the window.
func (w *window) add(ctx context.Context, r *kgo.Record) error {
	select {
	case w.places <- struct{}{}:
		w.in <- r
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the topic acknowledges nothing, and %d events wait: %w", w.config.InFlight, ctx.Err())
	}
}

// close ends run when the window is empty, or ctx is done. It returns what was left then.
func (w *window) close(ctx context.Context) (left int) {
	defer w.kill()
	close(w.ending)
	defer context.AfterFunc(ctx, w.kill)()
	<-w.done
	return len(w.places)
}

// run sends until the window was closed.
func (w *window) run() {
	defer close(w.done)
	for batch := w.next(); len(batch) > 0 && w.killed.Err() == nil; batch = w.next() {
		w.settle(batch)
	}
	if w.client != nil {
		w.client.Close()
	}
}

// next waits for events and takes those that are there, as many as one batch holds. It returns none at the end.
func (w *window) next() (batch []*kgo.Record) {
	if w.held == nil {
		select {
		case w.held = <-w.in:
		case <-w.killed.Done():
		case <-w.ending:
			w.hold()
		}
	}
	for size := 0; w.held != nil; w.hold() {
		if size += weigh(w.held); size > w.config.MaxMessageBytes && len(batch) > 0 {
			break
		}
		batch, w.held = append(batch, w.held), nil
	}
	return batch
}

// hold takes an event if one is there.
func (w *window) hold() {
	select {
	case w.held = <-w.in:
	default:
	}
}

// weigh is at least how much an event adds to a batch, with what a batch itself has.
func weigh(r *kgo.Record) int {
	const lengthsAndTimes = 128
	n := lengthsAndTimes + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// settle sends a batch until all of it is acknowledged or dropped, or there is no more time.
func (w *window) settle(batch []*kgo.Record) {
	for len(batch) > 0 && w.killed.Err() == nil {
		left, err := w.send(batch)
		switch {
		case err == nil:
			w.failures = 0
		case !refused(err):
			w.fail(err)
		case len(left) == 1:
			w.drop(left[0], err)
			return
		default:
			w.settle(left[:len(left)/2])
			left = left[len(left)/2:]
		}
		batch = left
	}
}

// send has a batch sent once the topic is there, and returns what is not acknowledged, in order, and why. The first event of a
// client goes alone: while it looks for partitions it sends what it has found one for, and not a whole batch at once.
func (w *window) send(batch []*kgo.Record) (left []*kgo.Record, err error) {
	if w.client == nil {
		if w.client, err = kgo.NewClient(w.options...); err != nil {
			return batch, err
		}
	}
	if !w.ensured {
		ctx, cancel := context.WithTimeout(w.killed, w.config.AckTimeout)
		defer cancel()
		if err := w.config.ensure(ctx, w.client); err != nil {
			return batch, err
		}
		w.ensured = true
	}
	now := batch
	if !w.loaded {
		now = batch[:1]
	}
	answers := make([]error, len(now))
	for i, r := range now {
		again := *r // which the client writes to
		w.client.Produce(w.killed, &again, func(_ *kgo.Record, err error) {
			if err == nil {
				<-w.places
			}
			answers[i] = err
		})
	}
	if err := w.flush(); err != nil {
		return batch, err // answers may still come
	}
	for i, answer := range answers {
		if answer == nil {
			continue
		}
		left = append(left, now[i])
		if err == nil || refused(err) { // what concerns all of them before what concerns one
			err = answer
		}
	}
	w.loaded = w.loaded || err == nil
	return append(left, batch[len(now):]...), err
}

// flush waits until all that was produced is answered, and says in the log that there is none for long.
func (w *window) flush() error {
	done := make(chan error, 1)
	go func() { done <- w.client.Flush(w.killed) }()
	for {
		select {
		case err := <-done:
			return err
		case <-time.After(w.config.AckTimeout):
			w.tell(errors.New("there is no answer"))
		}
	}
}

// refused tells whether an answer is about what was sent, which will never be taken.
func refused(err error) bool {
	for _, about := range []*kerr.Error{
		kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.CorruptMessage,
	} {
		if errors.Is(err, about) {
			return true
		}
	}
	return false
}

// fail waits before the next try, which begins anew: with another client, since this one may have an identity that the
// cluster does not take any more, or know a topic that is gone.
func (w *window) fail(err error) {
	w.tell(err)
	if w.client != nil {
		w.client.Close()
		w.client, w.ensured, w.loaded = nil, false, false
	}
	select {
	case <-time.After(backoff(w.failures)):
	case <-w.killed.Done():
	}
	w.failures++
}

func (w *window) tell(err error) {
	if w.killed.Err() == nil {
		w.told.Do(func() {
			w.log.Warn("Kafka does not take events, which wait", "topic", w.config.Topic, "waiting", len(w.places), "error", err)
		})
	}
}

// drop gives an event up.
func (w *window) drop(r *kgo.Record, err error) {
	<-w.places
	w.log.Error("an event is not exported", "room", string(r.Key), "id", string(r.Headers[0].Value), "bytes", len(r.Value), "error", err)
}
