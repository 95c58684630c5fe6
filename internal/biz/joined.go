package biz

import (
	"context"
	"time"
)

// JoinedSince returns those of the rooms that the user has become a member of since a moment, and still is.
func (b *Backlog) JoinedSince(ctx context.Context, user UserID, rooms []RoomID, since time.Time) (joined []RoomID, err error) {
	found, err := b.rooms.Memberships(ctx, user, rooms)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if !found[i].Member.JoinedAt.Before(since) {
			joined = append(joined, found[i].Room.ID)
		}
	}
	return joined, nil
}
