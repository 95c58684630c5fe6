package data

import (
	"context"
	"log/slog"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

const (
	// gathering is how long an indexer waits for more before it writes what it was woken for.
	gathering = 200 * time.Millisecond
	// indexSweep is how often it goes through all rooms, for what other nodes stored before they stopped, and
	// for what is gone.
	indexSweep = 30 * time.Second
	// indexRetry is how long it waits when the store has failed it.
	indexRetry = 2 * time.Second

	indexAim   = 10 * time.Millisecond
	indexYield = 20 // it has a twentieth of the writer when others want it
	fewDocs    = 50
	mostDocs   = 1000
)

// Indexer has messages found. It follows the rooms' logs, each above a mark of its own, in small transactions that
// give way to whoever sends: under load the index falls behind, and not the senders. What this node stores wakes it;
// a sweep finds the rest: the past of a database that had no index, what another node stored and did not live to
// index, and rooms that are gone. Several nodes on one database do no harm to each other: who raises a mark, from
// where he saw it, has the work, and the other one's is undone.
type Indexer struct {
	db     *DB
	reader biz.MessageReader
	logger *slog.Logger

	wanted *wantedRooms
	pace   pace
	sweep  indexSweeping
	broken bool
}

// NewIndexer returns an indexer for db, which is woken by whatever this node stores from now on.
func NewIndexer(db *DB, reader biz.MessageReader, logger *slog.Logger) *Indexer {
	x := &Indexer{
		db: db, reader: reader, logger: logger, wanted: db.wanted,
		pace: pace{aim: indexAim, yield: indexYield, few: fewDocs, most: mostDocs},
	}
	x.sweep = indexSweeping{db: db, wanted: x.wanted}
	x.wanted.watched.Store(true)
	return x
}

// Run indexes until ctx ends. What is left then is found by the next one, here or elsewhere.
func (x *Indexer) Run(ctx context.Context) error {
	next := time.Now() // of the sweep
	for ctx.Err() == nil {
		if !time.Now().Before(next) {
			over, err := x.sweep.step(ctx)
			x.report(ctx, err)
			if over || err != nil {
				next = time.Now().Add(indexSweep)
			}
		}
		if x.wanted.empty() {
			x.wait(ctx, time.Until(next))
			continue
		}
		full, err := x.step(ctx)
		x.report(ctx, err)
		switch {
		case err != nil:
			_ = rest(ctx, indexRetry) // the loop sees whether ctx has ended
		case !full: // what comes one by one is indexed together
			_ = rest(ctx, gathering)
		}
	}
	return nil
}

// wait returns when there is something to do, and a moment later.
func (x *Indexer) wait(ctx context.Context, most time.Duration) {
	if most <= 0 {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-x.wanted.woken:
		_ = rest(ctx, gathering) // the loop sees whether ctx has ended
	}
}

func (x *Indexer) report(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil:
		x.db.metrics.search.failures.Inc()
		if !x.broken {
			x.logger.WarnContext(ctx, "the index of the search cannot be brought up to date; it is tried again", "error", err)
		}
	case x.broken:
		x.logger.InfoContext(ctx, "the index of the search is brought up to date again")
	}
	x.broken = err != nil
}

// CatchUp indexes all that is stored, and returns when a sweep has found nothing left to do. It is not meant to run
// beside Run.
func (x *Indexer) CatchUp(ctx context.Context) error {
	for found := true; found; {
		found = false
		for over := false; !over; {
			var err error
			if over, err = x.sweep.step(ctx); err != nil {
				return err
			}
			for !x.wanted.empty() {
				found = true
				if _, err := x.step(ctx); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// step indexes a part of what is wanted, in one transaction, and then rests. It tells whether the transaction was
// full.
func (x *Indexer) step(ctx context.Context) (full bool, err error) {
	b := &indexBatch{db: x.db, reader: x.reader, left: x.pace.rows()}
	if err := x.fill(ctx, b); err != nil {
		b.putBack(x.wanted)
		return false, err
	}
	if len(b.parts) == 0 {
		return false, ctx.Err()
	}
	if err := x.write(b); err != nil {
		b.putBack(x.wanted)
		return false, storeError(err)
	}
	return b.full(), x.pace.rest(ctx)
}

// fill takes rooms that are wanted, each once, until the batch is full.
func (x *Indexer) fill(ctx context.Context, b *indexBatch) error {
	var unfinished []biz.RoomID
	defer func() {
		for _, room := range unfinished {
			x.wanted.add(room)
		}
	}()
	for !b.full() {
		room, ok := x.wanted.take()
		if !ok {
			return nil
		}
		more, err := b.add(ctx, room)
		if more || err != nil {
			unfinished = append(unfinished, room)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *Indexer) write(b *indexBatch) error {
	begun := time.Now()
	err := x.db.indexing.transact(func(t *tx) error {
		begun = time.Now()
		return b.run(t)
	}, func() {
		took := time.Since(begun)
		x.pace.took(took, x.db.writer.waiting.Load() > 0)
		m := &x.db.metrics.search
		m.indexTime.Observe(took.Seconds())
		m.indexed.Add(float64(b.indexed))
		m.removed.Add(float64(b.removed))
	})
	for _, p := range b.parts {
		if p.lost || p.again { // another node was faster, or there is more to clear
			x.wanted.add(p.room)
		}
	}
	return err
}
