package protocol_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// town is who is in which room, and when people were last seen, for all nodes of a test.
type town struct {
	biz.RoomRepo
	biz.MemberRepo
	mu    sync.Mutex
	rooms map[biz.RoomID][]biz.UserID
	seen  map[biz.UserID]time.Time
	asked int // who shares rooms
	fails int // how often that is to fail
}

// townOf is the town of a node, which a fleet shares.
type townOf struct{ *town }

func newTown() *town {
	return &town{rooms: map[biz.RoomID][]biz.UserID{}, seen: map[biz.UserID]time.Time{}}
}

func (t *town) put(room biz.RoomID, users ...biz.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rooms[room] = users
}

func (t *town) Acquainted(_ context.Context, user biz.UserID, users []biz.UserID) (found []biz.UserID, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	if t.fails > 0 {
		t.fails--
		return nil, biz.Errorf(biz.KindUnavailable, "STORE", "the store is away")
	}
	for _, other := range users {
		for _, members := range t.rooms {
			if slices.Contains(members, user) && slices.Contains(members, other) {
				found = append(found, other)
				break
			}
		}
	}
	return found, nil
}

func (t *town) LastSeen(_ context.Context, users []biz.UserID) (map[biz.UserID]time.Time, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[biz.UserID]time.Time{}
	for _, user := range users {
		if at, ok := t.seen[user]; ok {
			found[user] = at
		}
	}
	return found, nil
}

func (t *town) Seen(user biz.UserID, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen[user] = at
}

func (t *town) seenAt(user biz.UserID) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen[user]
}

func (t *town) Memberships(_ context.Context, user biz.UserID, rooms []biz.RoomID) (found []biz.Membership, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, room := range rooms {
		if members := t.rooms[room]; slices.Contains(members, user) {
			found = append(found, biz.Membership{Room: biz.Room{ID: room, Members: len(members)}, Member: biz.Member{Room: room, User: user}})
		}
	}
	return found, nil
}

func (t *town) Members(_ context.Context, room biz.RoomID, limit int) (members []biz.Member, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, user := range t.rooms[room][:min(limit, len(t.rooms[room]))] {
		members = append(members, biz.Member{Room: room, User: user})
	}
	return members, nil
}
