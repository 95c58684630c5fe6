package biz

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

const (
	idleInterval = time.Minute
	// idleAtOnce is how many rooms are looked up in one query.
	idleAtOnce = 500
	// idleAsked is in how many at once it is looked who is there, so that little time passes until they are ended.
	idleAsked = 10
	// idleLooked and idleEnded are how many rooms one sweep looks at and ends, and idleTime after which it ends
	// nothing more. The next sweep goes on from there.
	idleLooked = 50_000
	idleEnded  = 1000
	idleTime   = 20 * time.Second
)

// IdleRooms ends rooms in which nothing was said for as long as their configuration has it, and where nobody is.
// Several nodes may do so: each end is decided where it happens, and happens once.
type IdleRooms struct {
	admin *RoomAdmin
	log   *slog.Logger
	last  RoomID // that was looked at
	// empty is since when nobody is in rooms that keep nothing, as the last round through all rooms had it, and next
	// as this one has it.
	empty, next map[RoomID]time.Time
	ended       atomic.Int64
}

// NewIdleRooms returns what ends rooms. Without Attendance nobody knows who is there, and none is ended.
func NewIdleRooms(admin *RoomAdmin, log *slog.Logger) *IdleRooms {
	return &IdleRooms{admin: admin, log: log, next: make(map[RoomID]time.Time)}
}

// Ended is how many rooms this node has ended. Safe for concurrent use.
func (i *IdleRooms) Ended() int64 { return i.ended.Load() }

// Run sweeps once a minute until ctx ends.
func (i *IdleRooms) Run(ctx context.Context) error {
	ticker := time.NewTicker(idleInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if _, err := i.Sweep(ctx); err != nil && ctx.Err() == nil {
				i.log.WarnContext(ctx, "rooms that are idle could not be ended", "error", err)
			}
		}
	}
}

// Sweep ends what is due among the next rooms, and tells how many it ended. It goes on where the last one stopped, and
// begins anew after the last room: among many rooms some wait for a later one. A room that cannot be ended is passed,
// and has its turn again when all others had theirs.
func (i *IdleRooms) Sweep(ctx context.Context) (ended int, err error) {
	there, ok := i.admin.rooms.presence.(Attendance)
	if !ok {
		return 0, nil
	}
	until := time.Now().Add(idleTime)
	for looked := 0; looked < idleLooked && ended < idleEnded && time.Now().Before(until); looked += idleAtOnce {
		began := time.Now()
		rooms, last, err := i.admin.book.Idle(ctx, i.last, idleAtOnce)
		if err != nil {
			return ended, err
		}
		n, all, err := i.endAll(ctx, there, rooms, until)
		if ended += n; err != nil {
			return ended, err
		}
		if !all {
			break
		}
		if i.last = last; last == "" {
			i.empty, i.next = i.next, make(map[RoomID]time.Time)
			break
		}
		if !sleep(ctx, time.Since(began)) { // whoever sends goes first
			return ended, ctx.Err()
		}
	}
	if ended > 0 {
		i.log.InfoContext(ctx, "rooms that were idle are ended", "rooms", ended)
	}
	return ended, nil
}

// endAll ends those of the rooms where nobody is, unless the time is over before it had them all.
func (i *IdleRooms) endAll(ctx context.Context, there Attendance, rooms []IdleRoom, until time.Time) (ended int, all bool, err error) {
	for part := range slices.Chunk(rooms, idleAsked) {
		if !time.Now().Before(until) {
			return ended, false, nil
		}
		ids := make([]RoomID, len(part))
		for at, room := range part {
			ids[at] = room.ID
		}
		users, complete := there.Attending(ctx, ids...)
		for at, room := range part {
			i.last = room.ID
			if users[at] > 0 || !complete {
				continue
			}
			switch err := i.end(ctx, room); {
			case err == nil:
				ended++
				i.ended.Add(1)
			case KindOf(err) != KindNotFound && AsError(err).Reason != "NOT_IDLE":
				return ended, false, err
			}
		}
	}
	return ended, true, nil
}

// end ends a room, unless something was said in it after all. Of a room that keeps nothing it is not known when that
// was: for as long nobody has to have been there to hear it.
func (i *IdleRooms) end(ctx context.Context, room IdleRoom) error {
	var since time.Time
	if !room.Persistent {
		since = i.emptySince(room.ID)
		if time.Since(since) < room.Timeout {
			return errNotIdle(room.ID)
		}
	}
	node := Actor{Service: true}
	return i.admin.act(ctx, room.ID, node, ActNeeds{}, func(s ActState) (ActPlan, error) {
		idle, active := s.Room.Config.IdleTimeout, s.Room.LastActive
		if since.After(active) {
			active = since
		}
		if idle <= 0 || s.Room.Kind == KindDirect || s.Now.Sub(active) < idle {
			return ActPlan{}, errNotIdle(room.ID)
		}
		return ending(s, node, "idle"), nil
	})
}

// emptySince is since when sweeps have found nobody in a room where nobody is.
func (i *IdleRooms) emptySince(room RoomID) time.Time {
	since, ok := i.empty[room]
	if !ok {
		since = time.Now()
	}
	i.next[room] = since
	return since
}

func errNotIdle(room RoomID) error {
	return Errorf(KindConflict, "NOT_IDLE", "room %q is not idle", room)
}
