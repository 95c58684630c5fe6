package data

import (
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// memory is what a node remembers of rooms and members, since every send asks for both.
//
// The version of a room tells what of it may be out of date. A room is remembered with the version that its row
// had, and a member with the version that the row of his room had in the statement that read him. This node's own
// changes, and those of others that it hears of one by one, are made here too: first the member's, then the
// room's version. So a member is as he is remembered, as of the room's version, if he was read as of since or
// later. Readers take the room first and then the member, and learn a version as of which both are right,
// though perhaps not the present one: that is compared where it matters, under the lock of the room's row.
type memory struct {
	rooms   *cache[biz.RoomID, keptRoom]
	members *cache[memberKey, keptMember]
	life    time.Duration // of a room that other nodes may change; 0: without end

	// mu is held while a change is made, so that what this node has committed is not put over what another
	// one has changed after it.
	mu sync.Mutex
}

type keptRoom struct {
	biz.Room
	// since is a version from which on every change of a member up to Version was made here as well.
	since int64
	until time.Time // zero: without end
	stale bool      // another node has changed it
}

type keptMember struct {
	biz.Member
	version int64 // of the room, as of which he was read
}

func newMemory(opts Options) (*memory, error) {
	rooms, err := newCache[biz.RoomID, keptRoom](opts.CachedRooms)
	if err != nil {
		return nil, err
	}
	members, err := newCache[memberKey, keptMember](opts.CachedMembers)
	if err != nil {
		return nil, err
	}
	k := &memory{rooms: rooms, members: members}
	if opts.Shared {
		k.life = opts.CacheLife
	}
	rooms.merge = func(old, loaded keptRoom) keptRoom {
		if old.Version == loaded.Version {
			loaded.since = old.since
		}
		return loaded
	}
	return k, nil
}

func (k *memory) newRoom(room biz.Room) keptRoom {
	return keptRoom{Room: room, since: room.Version, until: k.end()}
}

func (k *memory) end() time.Time {
	if k.life == 0 {
		return time.Time{}
	}
	return time.Now().Add(k.life)
}

func (r *keptRoom) usable() bool {
	return !r.stale && (r.until.IsZero() || time.Now().Before(r.until))
}

func (k *memory) room(id biz.RoomID, load func() (biz.Room, error)) (keptRoom, error) {
	return k.rooms.getIf(id, (*keptRoom).usable, func() (keptRoom, error) {
		room, err := load()
		return k.newRoom(room), err
	})
}

// membership returns a member with his room, and the version as of which both are right.
func (k *memory) membership(key memberKey, room func() (biz.Room, error), member func() (keptMember, error)) (biz.Membership, error) {
	r, err := k.room(key.room, room)
	if err != nil {
		return biz.Membership{}, err
	}
	m, err := k.members.getIf(key, func(m *keptMember) bool { return m.version >= r.since }, member)
	if err != nil {
		return biz.Membership{}, err
	}
	return biz.Membership{Room: r.Room, Member: m.Member, Version: r.Version}, nil
}

// joined remembers a room and a member as a transaction of this node has left them.
func (k *memory) joined(room biz.Room, member biz.Member) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.met(memberKey{member.Room, member.User}, &member, room.Version)
	k.rooms.replace(room.ID, func(old keptRoom, had bool) keptRoom {
		r := k.newRoom(room)
		switch {
		case !had:
		case old.Version > room.Version:
			old.stale = true
			return old
		case old.Version >= room.Version-1:
			r.since = old.since
		}
		return r
	})
}

// met remembers a member, nil if there is none, as of a version of his room.
func (k *memory) met(key memberKey, m *biz.Member, version int64) {
	if r, ok := k.rooms.peek(key.room); m == nil || ok && r.Version > version {
		k.members.drop(key)
		return
	}
	k.members.put(key, keptMember{*m, version})
}

// left forgets a member who has left, which has made the room's version what it is told here.
func (k *memory) left(key memberKey, version int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.members.drop(key)
	k.rooms.update(key.room, func(r *keptRoom) {
		if k.next(r, version) {
			r.Members--
		}
	})
}

// next makes version that of a room, if it is the one after that which is remembered. Otherwise the room is
// stale, unless it is that late already.
func (k *memory) next(r *keptRoom, version int64) bool {
	switch {
	case r.Version == version-1:
		r.Version = version
		return true
	case r.Version < version:
		r.stale = true
	}
	return false
}

// stored notes what a commit of messages has made of a room, and what it has seen of it under its lock.
func (k *memory) stored(g *group, at time.Time) {
	if !g.stored && g.met == nil && g.changes == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for user, m := range g.met {
		k.met(memberKey{g.room, user}, m, g.version)
	}
	if g.gone {
		k.rooms.drop(g.room)
		return
	}
	k.rooms.update(g.room, func(r *keptRoom) {
		if r.Version != g.version-int64(len(g.changes)) {
			r.stale = true
			return
		}
		if len(g.changes) > 0 {
			r.Room = *g.info
		}
		if r.until = k.end(); g.stored {
			r.HeadSeq, r.LastActive = g.head, at
		}
	})
}

// purged raises the floor of a room.
func (k *memory) purged(room biz.RoomID, floor int64) {
	k.rooms.update(room, func(r *keptRoom) { r.FloorSeq = max(r.FloorSeq, floor) })
}

// changed notes what another node has changed. A member is enough to forget when the change is the next one
// of his room.
func (k *memory) changed(c Change) {
	if c.User == "" {
		k.forget(c.Room)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	key := memberKey{c.Room, c.User}
	if m, ok := k.members.peek(key); !ok || m.version < c.Version {
		k.members.drop(key)
	}
	k.rooms.update(c.Room, func(r *keptRoom) { k.next(r, c.Version) })
}

// saw notes the version that a room's row has.
func (k *memory) saw(room biz.RoomID, version int64) {
	if r, ok := k.rooms.peek(room); !ok || r.Version == version {
		return
	}
	k.rooms.update(room, func(r *keptRoom) { r.stale = r.stale || r.Version != version })
}

// forget has a room read again, and those of its members that may have changed since.
func (k *memory) forget(room biz.RoomID) {
	k.rooms.update(room, func(r *keptRoom) { r.stale = true })
}

func (k *memory) forgetAll() { k.rooms.updateAll(func(r *keptRoom) { r.stale = true }) }
