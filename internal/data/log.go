package data

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// LogOptions tune a MessageLog. Zero values mean the defaults.
type LogOptions struct {
	BatchRows  int // messages in one commit at most; default 512
	BatchBytes int // content and metadata in one commit, apart from the first message; default 4 MiB

	// Queued bounds count everything appended that was not answered yet; beyond them Append
	// refuses. Defaults 65,536 messages and 64 MiB.
	QueuedMessages int
	QueuedBytes    int

	Publishers        int           // goroutines that deliver and answer; default GOMAXPROCS
	IdempotencyWindow time.Duration // default 24 h
	DrainTimeout      time.Duration // how long Run goes on committing after its end; default 10 s

	// Events encodes what acts have to tell. Without it they are refused.
	Events biz.EventEncoder
}

func (o LogOptions) withDefaults() LogOptions {
	o.BatchRows = orDefault(o.BatchRows, 512)
	o.BatchBytes = orDefault(o.BatchBytes, 4<<20)
	o.QueuedMessages = orDefault(o.QueuedMessages, 64<<10)
	o.QueuedBytes = orDefault(o.QueuedBytes, 64<<20)
	o.Publishers = orDefault(o.Publishers, runtime.GOMAXPROCS(0))
	o.IdempotencyWindow = orDefault(o.IdempotencyWindow, idempotencyWindow)
	o.DrainTimeout = orDefault(o.DrainTimeout, 10*time.Second)
	return o
}

// idempotencyWindow is what the delivery contract promises.
const idempotencyWindow = 24 * time.Hour

// MessageLog is a biz.MessageLog that commits in groups.
//
//	Append → queue → committer → publisher → Deliver, done
//
// One committer takes whatever was appended while its last commit ran and makes it the next one;
// it never waits for more. What comes for the same rooms while another node has them joins it. Publishers then deliver and answer, one room always on the same one, so
// that each room keeps its order; when they fall behind, the committer waits for them, the queue
// grows, and in the end Append refuses: memory is bounded throughout.
//
// With a database that takes several writers, the log would have a queue and a committer for each,
// chosen by a hash of the room: committer knows nothing that would stand in the way.
type MessageLog struct {
	db         *DB
	queue      *queue
	committer  *committer
	publishers []*publisher
	seed       maphash.Seed
	running    atomic.Bool
}

// NewMessageLog returns a log that hands stored messages to live. Nothing is stored before Run;
// appends until then wait.
func NewMessageLog(db *DB, live biz.Deliverer, opts LogOptions, logger *slog.Logger) (*MessageLog, error) {
	opts = opts.withDefaults()
	if min(opts.BatchRows, opts.BatchBytes, opts.QueuedMessages, opts.QueuedBytes, opts.Publishers) < 0 {
		return nil, errors.New("data: limits of the message log cannot be negative")
	}
	l := &MessageLog{db: db, queue: newQueue(opts, db.metrics.queued), seed: maphash.MakeSeed()}
	for range opts.Publishers {
		l.publishers = append(l.publishers, newPublisher(live, l.queue, db.metrics, logger))
	}
	l.committer = newCommitter(db, l.queue, opts, logger)
	return l, nil
}

// Append stores d, has it delivered and calls done; see biz.MessageLog. Refusals for too much
// waiting, or after the log has stopped, are answered before it returns.
func (l *MessageLog) Append(d *biz.Draft, done func(biz.Receipt, error)) {
	e, err := newEntry(d, done)
	if err == nil {
		err = l.queue.push(e)
	}
	if err != nil {
		l.db.metrics.failures.WithLabelValues(failureReason(err)).Inc()
		done(biz.Receipt{}, err)
	}
}

// Run commits until ctx ends and then until nothing is queued, for DrainTimeout at most; what is
// left then is answered with KindUnavailable, as is every later Append. It returns when the last
// answer was given, and may be called once.
func (l *MessageLog) Run(ctx context.Context) error {
	if l.running.Swap(true) {
		return errors.New("data: the message log runs already")
	}
	stop := context.AfterFunc(ctx, l.queue.close)
	defer stop()
	var publishing sync.WaitGroup
	for _, p := range l.publishers {
		publishing.Go(p.run)
	}
	for {
		batch, inTime := l.queue.take()
		if len(batch) == 0 {
			break
		}
		whole := batch
		if inTime {
			whole = l.committer.commit(batch)
		} else {
			failAll(batch, errStopped())
		}
		l.publish(whole)
		clear(batch) // the queue's array outlives the batch
	}
	for _, p := range l.publishers {
		close(p.parts)
	}
	publishing.Wait()
	return nil
}

// publish hands a batch to the publishers, in order. It waits for one that is busy.
func (l *MessageLog) publish(batch []*entry) {
	parts := make([][]*entry, len(l.publishers))
	for _, e := range batch {
		i := maphash.String(l.seed, string(e.draft.Room)) % uint64(len(parts))
		parts[i] = append(parts[i], e)
	}
	for i, part := range parts {
		if len(part) > 0 {
			l.publishers[i].parts <- part
		}
	}
}
