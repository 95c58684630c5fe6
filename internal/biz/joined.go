package biz

import (
	"context"
	"time"
)

// JoinedSince returns those of the rooms that the user has become a member of since a moment, and still is.
func (b *Backlog) JoinedSince(ctx context.Context, user UserID, rooms []RoomID, since time.Time) (joined []RoomID, err error) {
	for _, room := range rooms {
		m, err := b.members.Member(ctx, room, user)
		switch {
		case err != nil && KindOf(err) == KindNotFound:
		case err != nil:
			return nil, err
		case !m.JoinedAt.Before(since):
			joined = append(joined, room)
		}
	}
	return joined, nil
}
