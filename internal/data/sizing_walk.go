package data

import "context"

// walk goes through a room from its floor until it has passed some bytes, and returns where.
func (s *sizing) walk(ctx context.Context, room *sizedRoom, excess int64) (upTo int64, err error) {
	w := walking{sizing: s, room: room, upTo: room.floor, left: excess}
	err = w.through(ctx, s.low(room))
	for found := true; found && err == nil && w.left > 0; {
		found, err = w.sums(ctx)
	}
	if err == nil {
		err = w.through(ctx, room.head)
	}
	return w.upTo, err
}

// walking is a walk through a room.
type walking struct {
	*sizing
	room *sizedRoom
	upTo int64 // where it is
	left int64 // bytes that are still to be passed
}

// through passes one message after another up to a seq, or as many as are summed up at a time.
func (w *walking) through(ctx context.Context, end int64) error {
	if end = min(end, w.upTo+w.span); w.left <= 0 || end <= w.upTo {
		return nil
	}
	return w.db.reader.eachBytes(ctx, w.room.id, w.upTo, end, func(seq, bytes int64) error {
		if w.left <= 0 {
			return errEnough
		}
		w.upTo, w.left = seq, w.left-bytes
		return nil
	})
}

// sums passes what is summed up, and one message after another of what would be too much. It tells whether it got on.
func (w *walking) sums(ctx context.Context) (found bool, err error) {
	before, within := w.upTo, int64(0)
	err = w.db.reader.sumPage(ctx, w.room.id, w.upTo, sumsAtOnce, func(seq, bytes int64) error {
		if seq != w.upTo+w.span {
			return errEnough
		}
		if bytes > w.left {
			within = seq
			return errEnough
		}
		w.upTo, w.left = seq, w.left-bytes
		return nil
	})
	if err == nil && within > 0 {
		err = w.through(ctx, within)
	}
	return w.upTo > before, err
}
