package im

import (
	"context"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/session"
)

// followTimeout bounds looking up where a session starts in its rooms.
const followTimeout = 10 * time.Second

// followAll subscribes a new session to its rooms: the one that it was opened with, or all.
func (h *Handler) followAll(s *session.Session, o Opening) error {
	ctx, cancel := context.WithTimeout(context.Background(), followTimeout)
	defer cancel()
	rooms := []biz.RoomID{o.Room}
	if o.Room == "" || o.Rooms {
		var err error
		if rooms, err = h.follower.Rooms(ctx, o.Identity.User); err != nil {
			return err
		}
	}
	begin, err := h.follower.Follow(ctx, s, o.Identity, rooms)
	if err != nil {
		return err
	}
	begin()
	return nil
}
