package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/sdk/upstream"
)

// Pusher makes one call.
type Pusher interface {
	PushBatch(ctx context.Context, to []upstream.Target, n upstream.Notification, opts ...upstream.CallOption) ([]upstream.Result, error)
}

// Config says how a batch is made.
type Config struct {
	Size     int // targets of one call, at most
	Parallel int // calls at a time
	Timeout  time.Duration
	// Key makes the batch safe to repeat: call number n, from 0, has the idempotency key "Key/n". The same
	// input with the same Size makes the same calls.
	Key     string
	Options []upstream.CallOption
	// Failed is told of every target that was neither delivered nor queued, one at a time. Nil: nobody.
	Failed func(Record, upstream.Status, error)
}

// Batch pushes what a Reader reads.
type Batch struct {
	cfg    Config
	pusher Pusher
	done   atomic.Int64
	fail   context.CancelCauseFunc // ends the reading

	mu     sync.Mutex
	counts Counts
}

// New returns a Batch that has begun nothing.
func New(pusher Pusher, cfg Config) *Batch {
	return &Batch{cfg: cfg, pusher: pusher, counts: Counts{Outcomes: map[upstream.Status]int{}}}
}

// Done is how many targets have their outcome. It may be asked while the batch runs.
func (b *Batch) Done() int { return int(b.done.Load()) }

// chunk is one call.
type chunk struct {
	number  int
	records []Record
}

// Run pushes to every target and returns what became of them. When ctx ends, or a call fails whose outcome
// nobody knows, it begins no further one and waits for those that are under way, so that the counts are
// true.
func (b *Batch) Run(ctx context.Context, in *Reader) (Counts, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b.fail = cancel
	chunks := make(chan chunk)
	var calls sync.WaitGroup
	for range b.cfg.Parallel {
		calls.Go(func() {
			for c := range chunks {
				b.call(context.WithoutCancel(ctx), c)
			}
		})
	}
	err := b.gather(ctx, in, chunks)
	close(chunks)
	calls.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts, err
}

// gather cuts the records into calls: neighbours that say the same, up to Size. It does not look at the
// time, so that the same input is always cut in the same way.
func (b *Batch) gather(ctx context.Context, in *Reader, chunks chan<- chunk) error {
	var c chunk
	send := func() error {
		if len(c.records) == 0 {
			return nil
		}
		select {
		case chunks <- c:
			c = chunk{number: c.number + 1}
			return nil
		case <-ctx.Done():
			return whyEnded(ctx)
		}
	}
	lines := readAhead(ctx, in)
	for {
		var l line
		select {
		case l = <-lines:
		case <-ctx.Done():
			return whyEnded(ctx)
		}
		var wrong *LineError
		switch {
		case errors.Is(l.err, io.EOF):
			return send()
		case errors.As(l.err, &wrong):
			b.settle(Record{Line: wrong.Line}, upstream.Rejected, wrong)
			continue
		case l.err != nil:
			return l.err // not what is gathered: repeated with all of the input, the call would be another one
		}
		if len(c.records) > 0 && (len(c.records) == b.cfg.Size || c.records[0].Say != l.record.Say) {
			if err := send(); err != nil {
				return err
			}
		}
		c.records = append(c.records, l.record)
	}
}

// line is what Reader.Next returned.
type line struct {
	record Record
	err    error
}

// readAhead reads in a goroutine of its own, since nothing ends a Read of a terminal or a pipe. It ends
// with the input or, when ctx has ended, with the next line.
func readAhead(ctx context.Context, in *Reader) <-chan line {
	lines := make(chan line, 64)
	go func() {
		for {
			r, err := in.Next()
			select {
			case lines <- line{r, err}:
			case <-ctx.Done():
				return
			}
			var wrong *LineError
			if err != nil && !errors.As(err, &wrong) {
				return
			}
		}
	}()
	return lines
}

// whyEnded is the call that failed, or ErrInterrupted.
func whyEnded(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return ErrInterrupted
}

// ErrInterrupted is what Run returns when it was told to end before the input did.
var ErrInterrupted = errors.New("interrupted")

func (b *Batch) call(ctx context.Context, c chunk) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	to := make([]upstream.Target, len(c.records))
	for i, r := range c.records {
		to[i] = r.Target
	}
	say := c.records[0].Say
	options := append([]upstream.CallOption{upstream.IdempotencyKey(fmt.Sprintf("%s/%d", b.cfg.Key, c.number))}, b.cfg.Options...)
	results, err := b.pusher.PushBatch(ctx, to, upstream.Notification{
		MsgType: say.MsgType, Title: say.Title, Content: say.Content, Data: []byte(say.Data),
	}, options...)
	if err != nil {
		// What was refused as a whole reached nobody; a call that failed may have reached anybody.
		status := upstream.Unknown
		if _, refused := errors.AsType[*upstream.PushError](err); refused && !errors.Is(err, upstream.ErrUnknown) {
			status = upstream.Rejected
		} else {
			b.fail(err)
		}
		for _, r := range c.records {
			b.settle(r, status, err)
		}
		return
	}
	for i, r := range results {
		b.settle(c.records[i], r.Outcome.Status, r.Err)
	}
}

// settle notes the outcome of a target.
func (b *Batch) settle(r Record, status upstream.Status, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Targets++
	b.counts.Outcomes[status]++
	b.done.Add(1)
	if b.cfg.Failed != nil && status != upstream.Delivered && status != upstream.Queued {
		b.cfg.Failed(r, status, err)
	}
}
