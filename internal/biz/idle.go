package biz

import (
	"context"
	"log/slog"
	"time"
)

const (
	idleInterval = time.Minute
	// idleAtOnce is how many rooms are looked up in one query; idleEnded how many are ended in one sweep.
	idleAtOnce = 500
	idleEnded  = 1000
)

// IdleRooms ends rooms in which nothing was said for as long as their configuration has it, and where nobody is.
// Several nodes may do so: each end is decided where it happens, and happens once.
type IdleRooms struct {
	admin *RoomAdmin
	log   *slog.Logger
	last  RoomID // that was looked at
}

// NewIdleRooms returns what ends rooms. Without Attendance nobody knows who is there, and none is ended.
func NewIdleRooms(admin *RoomAdmin, log *slog.Logger) *IdleRooms {
	return &IdleRooms{admin: admin, log: log}
}

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

// Sweep ends what is due now, and tells how many rooms that were. It goes on where the last one ended.
func (i *IdleRooms) Sweep(ctx context.Context) (ended int, err error) {
	there, ok := i.admin.rooms.presence.(Attendance)
	if !ok {
		return 0, nil
	}
	for ended < idleEnded {
		rooms, last, err := i.admin.book.Idle(ctx, i.last, idleAtOnce)
		if err != nil {
			return ended, err
		}
		for _, room := range rooms {
			if users, complete := there.Attending(ctx, room); users > 0 || !complete {
				continue
			}
			switch err := i.end(ctx, room); {
			case err == nil:
				ended++
			case KindOf(err) != KindNotFound && AsError(err).Reason != "NOT_IDLE":
				return ended, err
			}
		}
		if i.last = last; last == "" {
			break
		}
	}
	if ended > 0 {
		i.log.InfoContext(ctx, "rooms that were idle are ended", "rooms", ended)
	}
	return ended, nil
}

// end ends a room, unless something was said in it after all.
func (i *IdleRooms) end(ctx context.Context, room RoomID) error {
	node := Actor{Service: true}
	return i.admin.act(ctx, room, node, ActNeeds{}, func(s ActState) (ActPlan, error) {
		idle := s.Room.Config.IdleTimeout
		if idle <= 0 || s.Room.Kind == KindDirect || s.Now.Sub(s.Room.LastActive) < idle {
			return ActPlan{}, Errorf(KindConflict, "NOT_IDLE", "room %q is not idle", room)
		}
		return ending(s, node, "idle"), nil
	})
}
