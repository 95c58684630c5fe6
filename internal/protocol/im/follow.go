package im

import (
	"context"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// followTimeout bounds looking up where a session starts in its rooms.
const followTimeout = 10 * time.Second

// followAll subscribes a new session to its user's inbox and to its rooms: the one that it was
// opened with, or all.
func (h *Handler) followAll(s *session.Session, o Opening) error {
	ctx, cancel := context.WithTimeout(context.Background(), followTimeout)
	defer cancel()
	rooms := []biz.RoomID{o.Room}
	if o.Room == "" || o.Rooms {
		var err error
		if rooms, err = h.backlog.Rooms(ctx, o.Identity.User); err != nil {
			return err
		}
	}
	if err := h.follow(ctx, s, o.Identity, rooms); err != nil {
		return err
	}
	h.node.Subscribe(s, protocol.InboxChannel(o.Identity.User), &protocol.Inbox{Pushes: h.pushes, User: o.Identity.User}, 0)
	return nil
}

// follow subscribes a session to rooms, each from where its device left off.
func (h *Handler) follow(ctx context.Context, s *session.Session, id biz.Identity, rooms []biz.RoomID) error {
	positions, err := h.backlog.Positions(ctx, id.User, id.Device, rooms)
	if err != nil {
		return err
	}
	for _, p := range positions {
		channel := protocol.RoomChannel(p.Room)
		if p.Live {
			h.node.Subscribe(s, channel, nil, 0)
			continue
		}
		source := &roomSource{backlog: h.backlog, room: p.Room, user: id.User, device: id.Device}
		source.Received(p.After) // so that the device is known from now on
		h.node.Subscribe(s, channel, source, p.After)
	}
	return nil
}

// followLater returns what subscribes a session to a room that its user joins while it is open. One
// that could not be subscribed is disconnected rather than left without the room unawares.
func (h *Handler) followLater(id biz.Identity) func(s *session.Session, room string) {
	return func(s *session.Session, room string) {
		ctx, cancel := context.WithTimeout(context.Background(), followTimeout)
		defer cancel()
		if err := h.follow(ctx, s, id, []biz.RoomID{biz.RoomID(room)}); err != nil {
			h.log.Error("a session could not follow a room", "session", s.ID, "room", room, "error", err)
			s.Disconnect(transport.StoreGone)
		}
	}
}
