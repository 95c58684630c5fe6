package biz

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

const (
	sweepInterval = time.Hour
	// clearInterval is how long the bytes of a deleted recording may be there yet.
	clearInterval = 10 * time.Second
	// clearedAtOnce is how many of them are looked up together.
	clearedAtOnce = 100
	// orphanAge is far longer than a blob can be without its row while its upload runs.
	orphanAge = time.Hour
)

// Stop ends the uploads that run, takes no more, and returns when the last has cleaned up, or ctx
// ends. Waveforms in the making are given up.
func (a *Audios) Stop(ctx context.Context) error {
	err := a.uploads.stop(ctx)
	a.waveforms.stop()
	return err
}

// Release ends what the message of a room with this seq refers to. A recording that no message refers to any
// more is gone at once for whoever asks for it, and its bytes within seconds. Calling it again does no harm.
//
// Whoever takes a message back in a transaction of the store does there what this does.
func (a *Audios) Release(ctx context.Context, room RoomID, seq int64) error {
	return a.stores.Upkeep.Release(ctx, room, seq)
}

// Run deletes the bytes of deleted recordings all the time, and sweeps at once and then every hour, until
// ctx ends.
func (a *Audios) Run(ctx context.Context) error {
	clearing, sweep := time.NewTicker(clearInterval), time.NewTicker(sweepInterval)
	defer clearing.Stop()
	defer sweep.Stop()
	a.try(ctx, "sweep of the uploads", func() error { return a.Sweep(ctx, time.Now()) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-clearing.C:
			a.try(ctx, "deleting recordings", func() error { return a.Clear(ctx) })
		case <-sweep.C:
			a.try(ctx, "sweep of the uploads", func() error { return a.Sweep(ctx, time.Now()) })
		}
	}
}

func (a *Audios) try(ctx context.Context, what string, do func() error) {
	if err := do(); err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, what, "error", err)
	}
}

// Clear deletes the bytes of recordings whose rows were deleted, and then forgets them: a crash in between
// repeats a deletion, which is no error, and so does another node.
func (a *Audios) Clear(ctx context.Context) error {
	for {
		ids, err := a.stores.Upkeep.Waste(ctx, clearedAtOnce)
		if err != nil || len(ids) == 0 {
			return err
		}
		var cleared []AudioID
		var errs []error
		for _, id := range ids {
			if err := a.stores.Blobs.Delete(ctx, string(id)); err != nil {
				errs = append(errs, err)
				continue
			}
			cleared = append(cleared, id)
		}
		if len(cleared) > 0 {
			errs = append(errs, a.stores.Upkeep.Cleared(ctx, cleared))
		}
		if err := errors.Join(errs...); err != nil || len(ids) < clearedAtOnce {
			return err // what failed is tried again in the next round
		}
	}
}

// Sweep deletes what a crash has left between the last byte of an upload and its row: blobs from an
// hour before now that no upload names. When none has an upload, it deletes none: then the store is
// more likely to be another one than all uploads to be broken.
func (a *Audios) Sweep(ctx context.Context, now time.Time) error {
	total := 0
	var some, orphans []AudioID
	look := func() error {
		missing, err := a.stores.Upkeep.Missing(ctx, some)
		total, some, orphans = total+len(some), some[:0], append(orphans, missing...)
		return err
	}
	err := a.stores.Blobs.Each(ctx, now.Add(-orphanAge), func(name string) error {
		if uuid.Validate(name) != nil {
			return nil // not ours
		}
		if some = append(some, AudioID(name)); len(some) < clearedAtOnce {
			return nil
		}
		return look()
	})
	if err = errors.Join(err, look()); err != nil || len(orphans) == 0 {
		return err
	}
	if len(orphans) == total {
		a.log.WarnContext(ctx, "there are recordings and the store knows none of them; they are left alone", "recordings", len(orphans))
		return nil
	}
	a.log.InfoContext(ctx, "deleting recordings whose upload was not finished", "recordings", len(orphans))
	errs := make([]error, 0, len(orphans))
	for _, id := range orphans {
		errs = append(errs, a.stores.Blobs.Delete(ctx, string(id)))
	}
	return errors.Join(errs...)
}
