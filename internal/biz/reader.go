package biz

import (
	"context"
	"slices"
)

// reader is who wants to see what belongs to a room.
type reader struct {
	user UserID // empty: a trusted caller who speaks for nobody, or a service
	any  bool   // he need not be a member
}

// readerOf returns whom a request to see something comes from.
func readerOf(by Identity, named UserID) (reader, error) {
	service := slices.Contains(by.Roles, RoleService)
	if named == "" && by.User == "" {
		if !by.Trusted && !service {
			return reader{}, Errorf(KindUnauthenticated, "UNAUTHENTICATED", "who is calling is not known")
		}
		return reader{any: true}, nil
	}
	user, err := by.ActAs(named)
	return reader{user: user, any: service}, err
}

// mayRead lets members see what belongs to a room, and those who need not be members.
func (r reader) mayRead(ctx context.Context, rooms RoomRepo, members MemberRepo, room RoomID) error {
	if r.any {
		return nil
	}
	if _, err := members.Member(ctx, room, r.user); err != nil {
		return explainNoMember(ctx, rooms, room, r.user, err)
	}
	return nil
}
