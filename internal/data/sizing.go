package data

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

const (
	// summedMessages are summed up at a time, and sumsAtOnce noted in one transaction or walked through in one query.
	summedMessages = 256
	sumsAtOnce     = 64
	// sumLife is after how long a sum is counted anew, in rooms that may have too much.
	sumLife = 24 * time.Hour
	// clocksApart is by how much the clocks of nodes on one database may differ: what was said in a room is looked for
	// by when it was.
	clocksApart = 15 * time.Minute
)

// sizing deletes what is too much of rooms of which only so many bytes are kept, room after room in the order of ids.
//
// Nobody counts when a message is stored. A sweep looks at the rooms where something was said since the last one, on
// connections that read: most of a room is in sums already, and it counts what was said since the last of these,
// and what is left of the one that the floor is in. So it costs the same with few messages and with very many, but for one row to read
// for each 256. Only a room that has too much is walked through from its floor, as far as it is then deleted.
//
// One goroutine uses it. Several, on one node or on many, do no harm: they count the same, and where one has
// deleted meanwhile, another finds nothing.
type sizing struct {
	purger
	most  int64     // bytes of a room
	room  string    // the last that was looked at
	began time.Time // this time
	since time.Time // rooms where nothing was said since are as small as they were
	end   time.Time // of the sweep
	at    time.Time // the present, as the sweep has it from its caller
	span  int64     // messages of a sum; 0: summedMessages
	fresh []messageSum
}

var errTimeOver = errors.New("the rest is for the next sweep")

// sweep looks at every room where something was said since the last one, unless that takes too long.
func (s *sizing) sweep(ctx context.Context, now time.Time, keep biz.Retention, log *slog.Logger) error {
	if s.most != keep.MaxBytes { // all rooms may have too much
		s.most, s.room, s.since = keep.MaxBytes, "", time.Time{}
	}
	if s.most == 0 {
		return nil
	}
	began := time.Now()
	s.at, s.end = now, began.Add(sweepTime)
	s.span, s.fresh = orDefault(s.span, summedMessages), s.fresh[:0]
	var done tally
	err := s.sweepRooms(ctx, keep, &done)
	if done.rows > 0 {
		log.InfoContext(ctx, "messages beyond the bytes that rooms keep are deleted", "messages", done.rows, "rooms", done.rooms,
			"took", time.Since(began).Round(time.Millisecond))
	}
	if errors.Is(err, errTimeOver) {
		return nil
	}
	return storeError(err)
}

func (s *sizing) sweepRooms(ctx context.Context, keep biz.Retention, done *tally) error {
	for {
		if s.room == "" {
			s.began = time.Now()
		}
		began := time.Now()
		page, last, err := s.page(ctx)
		if err != nil {
			return err
		}
		due := purging{now: s.at, keep: keep, beyond: make(map[biz.RoomID]int64)}
		for i := range page {
			upTo, err := s.beyond(ctx, &page[i])
			if err != nil {
				return err
			}
			if upTo > page[i].floor {
				due.rooms = append(due.rooms, page[i].id)
				due.beyond[page[i].id] = upTo
			}
		}
		if err := s.note(); err != nil {
			return err
		}
		finished, err := s.purge(ctx, due, s.end, done)
		if err != nil {
			return err
		}
		if !finished {
			return errTimeOver
		}
		if s.room = last; last == "" {
			s.since = s.began.Add(-clocksApart)
			return nil
		}
		if err := s.pause(ctx, began); err != nil {
			return err
		}
	}
}

// pause lets others have the machine for as long as it was taken, unless the time of the sweep is over.
func (s *sizing) pause(ctx context.Context, began time.Time) error {
	if !time.Now().Before(s.end) {
		return errTimeOver
	}
	return rest(ctx, min(time.Since(began), time.Second))
}

const selectSized = `SELECT id, head_seq, floor_seq, last_active FROM rooms WHERE id > ? ORDER BY id LIMIT ?`

// sizedRoom is a room that may have too much.
type sizedRoom struct {
	id          biz.RoomID
	head, floor int64
}

// page returns the next rooms where something was said, and the last one that was looked at for it; "" if that was all.
func (s *sizing) page(ctx context.Context) (page []sizedRoom, last string, err error) {
	seen := 0
	err = s.db.reader.each(ctx, selectSized, []any{s.room, sweptRooms}, func(rows *sql.Rows) error {
		var room sizedRoom
		var active int64
		if err := rows.Scan(&room.id, &room.head, &room.floor, &active); err != nil {
			return err
		}
		seen, last = seen+1, string(room.id)
		if room.head > room.floor && !fromMicros(active).Before(s.since) {
			page = append(page, room)
		}
		return nil
	})
	if seen < sweptRooms {
		last = ""
	}
	return page, last, err
}

// beyond returns up to where a room has too much, 0 if it has not. What an edit has made longer is in the event that tells
// of it as well, and that is counted: a room that seems to have half of what it may has no more than that.
func (s *sizing) beyond(ctx context.Context, room *sizedRoom) (upTo int64, err error) {
	bytes, err := s.count(ctx, room)
	if err != nil || bytes <= s.most/2 {
		return 0, err
	}
	if err := s.note(); err != nil {
		return 0, err
	}
	renewed, err := s.renew(ctx, room)
	if err != nil {
		return 0, err
	}
	if renewed {
		bytes, err = s.count(ctx, room)
	}
	if err != nil || bytes <= s.most {
		return 0, err
	}
	upTo, err = s.walk(ctx, room, bytes-s.most)
	return min(upTo, room.head-1), err
}

// low is where the first sum ends that is of messages above the floor alone.
func (s *sizing) low(room *sizedRoom) int64 { return (room.floor + s.span - 1) / s.span * s.span }

// count returns the bytes of a room, and sums up what can be and is not yet.
func (s *sizing) count(ctx context.Context, room *sizedRoom) (bytes int64, err error) {
	low := s.low(room)
	last, bytes, err := s.db.reader.sums(ctx, room.id, low)
	if err != nil {
		return 0, err
	}
	last = max(last, low)
	began := time.Now()
	for ; last+s.span <= room.head; last += s.span {
		n, err := s.sum(ctx, room, last+s.span)
		if err != nil {
			return 0, err
		}
		bytes += n
		if len(s.fresh) < sumsAtOnce {
			continue
		}
		if err := s.noteAndPause(ctx, began); err != nil {
			return 0, err
		}
		began = time.Now()
	}
	for _, part := range [][2]int64{{room.floor, min(low, room.head)}, {last, room.head}} {
		n, err := s.db.reader.bytesBetween(ctx, room.id, part[0], part[1])
		if err != nil {
			return 0, err
		}
		bytes += n
	}
	return bytes, nil
}

// sum counts the messages up to seq that are summed up together, to be noted.
func (s *sizing) sum(ctx context.Context, room *sizedRoom, seq int64) (bytes int64, err error) {
	bytes, err = s.db.reader.bytesBetween(ctx, room.id, seq-s.span, seq)
	if err == nil {
		s.fresh = append(s.fresh, messageSum{room.id, seq, bytes})
	}
	return bytes, err
}

// renew counts anew what may not be true any more, since messages were edited or recalled.
func (s *sizing) renew(ctx context.Context, room *sizedRoom) (renewed bool, err error) {
	for last := s.low(room); ; {
		began := time.Now()
		seqs, err := s.db.reader.outdated(ctx, room.id, last, s.at.Add(-sumLife), sumsAtOnce)
		if err != nil || len(seqs) == 0 {
			return renewed, err
		}
		for _, seq := range seqs {
			if _, err := s.sum(ctx, room, seq); err != nil {
				return false, err
			}
		}
		last, renewed = seqs[len(seqs)-1], true
		if err := s.noteAndPause(ctx, began); err != nil {
			return false, err
		}
	}
}

// note writes what was counted.
func (s *sizing) note() error {
	if len(s.fresh) == 0 {
		return nil
	}
	err := s.db.writer.transact(func(t *tx) error { return noteSums(t, s.fresh, s.at) }, func() {})
	s.fresh = s.fresh[:0] // if it failed, the next sweep counts again
	return err
}

func (s *sizing) noteAndPause(ctx context.Context, began time.Time) error {
	if err := s.note(); err != nil {
		return err
	}
	return s.pause(ctx, began)
}
