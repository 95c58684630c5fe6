package data

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"
)

// checkpointer moves what is in the log of a SQLite database into its file, beside the writer, which would
// do it within a commit while everybody who sends waits for some thousand pages to reach the disk. It
// copies while others write, again what was written meanwhile, and has the writer wait for the little that
// is left, so that the log begins anew at its front.
type checkpointer struct {
	pool   *sql.DB // of one connection
	writer *writer
	logger *slog.Logger
	at     int  // pages in the log that make it worth it: one that was written many times is copied once
	failed bool // the last time
	stop   context.CancelFunc
	done   chan struct{} // closed when its goroutine has ended
}

const (
	checkpointAt = 4096 // of 4 KiB
	// fewPages are so few that the writer may wait for them: each takes some 50 µs to reach a disk.
	fewPages = 64
	// checkpointPasses bounds how often is copied what was written meanwhile, by writers that are faster
	// than the copying.
	checkpointPasses = 8

	checkpointLook  = 20 * time.Millisecond // between two looks at the log
	checkpointPause = time.Second           // after one that led to nothing
)

// newCheckpointer begins to look after the log. Whoever has it closes it.
func newCheckpointer(pool *sql.DB, w *writer, log *slog.Logger) *checkpointer {
	ctx, stop := context.WithCancel(context.Background())
	c := &checkpointer{pool: pool, writer: w, logger: log, at: checkpointAt, stop: stop, done: make(chan struct{})}
	go c.run(ctx)
	return c
}

// close returns when nothing is copied any more. What is in the log stays there.
func (c *checkpointer) close() {
	c.stop()
	<-c.done
}

func (c *checkpointer) run(ctx context.Context) {
	defer close(c.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-c.writer.written:
		}
		err := c.checkpoint(ctx)
		if ctx.Err() != nil {
			return
		}
		c.report(err)
		pause.Reset(checkpointLook)
		if err != nil {
			pause.Reset(checkpointPause)
		}
	}
}

// errHeld tells that somebody reads the database as it was before, or copies as well. That passes.
var errHeld = errors.New("data: the log is in use")

func (c *checkpointer) report(err error) {
	switch {
	case errors.Is(err, errHeld):
		return
	case err != nil && !c.failed:
		c.logger.Warn("the log of the database cannot be moved into its file, and grows", "error", err)
	case err == nil && c.failed:
		c.logger.Info("the log of the database is moved into its file again")
	}
	c.failed = err != nil
}

func (c *checkpointer) checkpoint(ctx context.Context) error {
	left, err := c.left(ctx)
	if err != nil || left < c.at {
		return err
	}
	for pass := 0; pass < checkpointPasses && left > fewPages; pass++ {
		if err := c.move(ctx, "PASSIVE"); err != nil {
			return err
		}
		if left, err = c.left(ctx); err != nil {
			return err
		}
	}
	c.writer.lock()
	defer c.writer.mu.Unlock()
	return c.move(ctx, "RESTART")
}

// left returns how many pages of the log are not in the file.
func (c *checkpointer) left(ctx context.Context) (int, error) {
	log, copied, err := c.pragma(ctx, "NOOP")
	return log - copied, err
}

// move copies all that was in the log when it began.
func (c *checkpointer) move(ctx context.Context, mode string) error {
	log, copied, err := c.pragma(ctx, mode)
	if err == nil && copied < log {
		return errHeld
	}
	return err
}

// pragma returns how many pages the log has, and how many of them are in the file.
func (c *checkpointer) pragma(ctx context.Context, mode string) (log, copied int, err error) {
	var busy bool
	err = c.pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &log, &copied)
	if err == nil && busy {
		err = errHeld
	}
	return log, copied, err
}
