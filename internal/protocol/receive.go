package protocol

import (
	"context"
	"fmt"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Receive lets a session of another node go on here, where its client is expected: with part as the protocol's
// own, each room from where it was there, and without those that its user has left meanwhile. Pushes are what
// is kept for him. With an error nothing is left of it.
func (f *Follower) Receive(ctx context.Context, c *session.Carried, part any, pushes *biz.Pushes) error {
	user, device := biz.UserID(c.User), biz.DeviceID(c.Device)
	var rooms []biz.Position
	for i := range c.Places {
		p := &c.Places[i]
		room, ok := RoomOf(p.Channel)
		switch {
		case ok && f.backlog != nil:
			rooms = append(rooms, biz.Position{Room: room})
		case p.Channel != InboxChannel(user):
			return fmt.Errorf("protocol: nobody here knows the channel %q", p.Channel)
		}
	}
	if f.node.Session(c.ID) != nil {
		return fmt.Errorf("protocol: a session %s is here already", c.ID)
	}
	s, subs, err := session.Restore(f.node.Core(), c, session.Arrival{
		Protocol: part, Follow: f.laterIf(c.Follows, &biz.Identity{User: user, GID: c.GID, Device: device}),
		Source: func(s *session.Session, channel string) session.Source {
			if room, ok := RoomOf(channel); ok {
				return &roomLog{Follower: f, session: s, room: room, user: user, device: device}
			}
			return &inbox{pushes: pushes, user: user}
		},
	})
	if err != nil {
		return err
	}
	f.node.Receive(s, subs, c.Names)
	if len(rooms) > 0 {
		if err := f.dropLeft(ctx, s, user, rooms); err != nil {
			f.node.End(s, transport.StoreGone)
			return err
		}
	}
	if c.Follows {
		f.node.LookAgain(c.User) // for what he has joined while the session was nowhere
	}
	return nil
}

func (f *Follower) laterIf(follows bool, id *biz.Identity) session.Follow {
	if !follows {
		return nil
	}
	return f.Later(id)
}
