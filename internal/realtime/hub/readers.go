package hub

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
)

const (
	readersAtOnce = 4   // logs that a node reads at once
	readAtOnce    = 256 // publications of one read
	headsAtOnce   = 512 // channels whose heads are asked for at once
	readFor       = 10 * time.Second
	retryAfter    = 250 * time.Millisecond
)

// readers read for a node what its channels miss, each channel's once and a page at a time in turn, so that
// a large hole does not hold up the others. Nothing of it runs while nothing is missing.
type readers struct {
	log     Log   // nil: each session reads for itself
	heads   Heads // log, if it is that
	turns   Turns // nil: nothing is numbered
	metrics *metrics
	logger  *slog.Logger

	mu      sync.Mutex
	wake    sync.Cond
	asked   []*channel // whose head is to be asked for
	ready   []*channel // which are to be read
	turning []*channel // whose last place is to be asked for
	coming  int        // callers that are still putting channels in line
	stopped bool
	patient appointments
	failed  appointments
}

func newReaders(logger *slog.Logger) *readers {
	r := &readers{metrics: newMetrics(), logger: logger, patient: appointments{after: patience}, failed: appointments{after: retryAfter}}
	r.wake.L = &r.mu
	return r
}

// now puts a channel in line.
func (r *readers) now(ch *channel, asked bool) {
	r.mu.Lock()
	if asked && r.heads != nil {
		r.asked = append(r.asked, ch)
	} else {
		r.ready = append(r.ready, ch)
	}
	r.mu.Unlock()
	r.wake.Signal()
}

// askTurn puts a channel in line whose last place is to be asked for.
func (r *readers) askTurn(ch *channel) {
	r.mu.Lock()
	r.turning = append(r.turning, ch)
	r.mu.Unlock()
	r.wake.Signal()
}

// together runs what puts many channels in line. Until it is through only full batches are asked for, or
// idle readers would take the first few channels each as soon as they come.
func (r *readers) together(ask func()) {
	r.mu.Lock()
	r.coming++
	r.mu.Unlock()
	ask()
	r.mu.Lock()
	r.coming--
	r.mu.Unlock()
	r.wake.Broadcast()
}

// later has a channel called when it has been patient, unless it has forgotten about that by then.
func (r *readers) later(ch *channel) { r.appoint(&r.patient, ch) }

// again has a channel called for another try.
func (r *readers) again(ch *channel) { r.appoint(&r.failed, ch) }

// appointments are channels to be called in the order in which they came, all after the same time: one
// timer is enough, and none while there are none.
type appointments struct {
	after time.Duration
	line  []appointment
}

type appointment struct {
	channel *channel
	at      time.Time
}

func (r *readers) appoint(with *appointments, ch *channel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	with.line = append(with.line, appointment{ch, time.Now().Add(with.after)})
	if len(with.line) == 1 {
		time.AfterFunc(with.after, func() { r.call(with) })
	}
}

func (r *readers) call(with *appointments) {
	for _, ch := range r.overdue(with, time.Now()) {
		ch.ripe()
	}
}

func (r *readers) overdue(with *appointments, now time.Time) (overdue []*channel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for n < len(with.line) && !with.line[n].at.After(now) {
		overdue = append(overdue, with.line[n].channel)
		n++
	}
	if with.line = with.line[n:]; len(with.line) == 0 {
		with.line = nil
	} else if !r.stopped {
		time.AfterFunc(with.line[0].at.Sub(now), func() { r.call(with) })
	}
	return overdue
}

// run reads until ctx ends, which also cancels what is being read.
func (r *readers) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		r.stopped = true
		r.mu.Unlock()
		r.wake.Broadcast()
	})
	defer stop()
	var wg sync.WaitGroup
	for range readersAtOnce {
		wg.Go(func() { r.work(ctx) })
	}
	wg.Wait()
	return nil
}

func (r *readers) work(ctx context.Context) {
	for job := r.next(); job != nil; job = r.next() {
		job(ctx)
	}
}

// next returns what is to be done, nil when all is over.
func (r *readers) next() (job func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.stopped {
		if batch := r.batchLocked(&r.turning); batch != nil {
			return func(ctx context.Context) { r.turn(ctx, batch) }
		}
		if batch := r.batchLocked(&r.asked); batch != nil {
			return func(ctx context.Context) { r.look(ctx, batch) }
		}
		if one := cut(&r.ready, 1); one != nil {
			return func(ctx context.Context) { r.read(ctx, one[0]) }
		}
		r.wake.Wait()
	}
	return nil
}

// batchLocked takes from a line what is asked for at once, nil when there is not enough yet.
func (r *readers) batchLocked(line *[]*channel) []*channel {
	if r.coming > 0 && len(*line) < headsAtOnce {
		return nil
	}
	return cut(line, headsAtOnce)
}

// cut takes up to n channels from a line, nil when there is none.
func cut(line *[]*channel, n int) []*channel {
	n = min(n, len(*line))
	if n == 0 {
		*line = nil // the array
		return nil
	}
	head := (*line)[:n:n]
	*line = (*line)[n:]
	return head
}

// turn asks how far the numbers of channels have come.
func (r *readers) turn(ctx context.Context, asked []*channel) {
	names, before := make([]string, 0, len(asked)), make([]frame.Turn, 0, len(asked))
	taken := asked[:0]
	for _, ch := range asked {
		if at, ok := ch.beginTurn(); ok {
			names, before, taken = append(names, ch.name), append(before, at), append(taken, ch)
		}
	}
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	now := r.turns.Turns(ctx, names)
	if ctx.Err() == context.Canceled {
		return // the node stops
	}
	for i, ch := range taken {
		ch.turned(before[i], now[ch.name])
	}
}

// look asks how far the logs of channels reach.
func (r *readers) look(ctx context.Context, asked []*channel) {
	names := make([]string, 0, len(asked))
	taken := asked[:0]
	for _, ch := range asked {
		if ch.beginLook() {
			names, taken = append(names, ch.name), append(taken, ch)
		}
	}
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	heads, err := r.heads.Heads(ctx, names)
	if err != nil && ctx.Err() == nil {
		r.logger.Warn("how far channels reach cannot be read", "channels", len(names), "error", err)
	}
	for _, ch := range taken {
		ch.looked(heads[ch.name], err)
	}
}

// read reads one page of what a channel misses.
func (r *readers) read(ctx context.Context, ch *channel) {
	s, ok := ch.beginRead()
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	ps, err := r.log.Publications(ctx, ch.name, s.after, s.upTo, readAtOnce)
	r.metrics.reads.Inc()
	r.metrics.filled.Add(float64(len(ps)))
	ch.read(s, ps, err)
}
