package data

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/game-im/hermod/internal/biz"
)

// Rooms is a biz.RoomRepo.
//
// Where one node owns the database, a room that is in use answers from memory, which is exact: the committer
// raises the head after each commit and before it publishes, so once a send was answered or a message
// delivered, Room shows a HeadSeq that is at least as high. Where nodes share it, the database answers, and
// memory Speaker alone.
type Rooms struct {
	db *DB
}

// NewRooms returns the rooms in db.
func NewRooms(db *DB) *Rooms { return &Rooms{db: db} }

// Room returns a room, or KindNotFound.
func (r *Rooms) Room(ctx context.Context, id biz.RoomID) (biz.Room, error) {
	return r.db.room(ctx, id)
}

func (db *DB) room(ctx context.Context, id biz.RoomID) (biz.Room, error) {
	load := func() (biz.Room, error) { return loadRoom(db.reader.scanning(ctx), id) }
	if db.shared {
		room, err := load()
		return room, storeError(err)
	}
	room, err := db.memory.room(id, load)
	return room.Room, storeError(err)
}

// Speaker returns a member with his room as they are remembered, or KindNotFound.
func (r *Rooms) Speaker(ctx context.Context, room biz.RoomID, user biz.UserID) (biz.Membership, error) {
	return r.db.remembered(ctx, room, user)
}

func (db *DB) remembered(ctx context.Context, room biz.RoomID, user biz.UserID) (biz.Membership, error) {
	read := db.reader.scanning(ctx)
	m, err := db.memory.membership(memberKey{room, user},
		func() (biz.Room, error) { return loadRoom(read, room) },
		func() (keptMember, error) { return loadKeptMember(read, room, user) })
	return m, storeError(err)
}

// Memberships returns where the user stands in those of the rooms that he is a member of, in their order.
func (r *Rooms) Memberships(ctx context.Context, user biz.UserID, rooms []biz.RoomID) ([]biz.Membership, error) {
	found := make([]biz.Membership, 0, len(rooms))
	if r.db.shared {
		for part := range slices.Chunk(rooms, askedRooms) {
			more, err := r.db.memberships(ctx, user, part)
			if err != nil {
				return nil, storeError(err)
			}
			found = append(found, more...)
		}
		return found, nil
	}
	for _, room := range rooms {
		m, err := r.db.remembered(ctx, room, user)
		switch {
		case err == nil:
			found = append(found, m)
		case !notFound(err):
			return nil, err
		}
	}
	return found, nil
}

const selectRoom = `SELECT ` + roomColumns + ` FROM rooms WHERE id = ?`

// loadRoom returns a room that is there.
func loadRoom(read scan, id biz.RoomID) (biz.Room, error) {
	room, err := loadAnyRoom(read, id)
	if err == nil && !room.DeletedAt.IsZero() {
		return biz.Room{}, biz.ErrRoomNotFound(id)
	}
	return room, err
}

// loadAnyRoom returns a room that is or was there.
func loadAnyRoom(read scan, id biz.RoomID) (biz.Room, error) {
	var row roomRow
	err := read(selectRoom, []any{string(id)}, row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return biz.Room{}, biz.ErrRoomNotFound(id)
	}
	if err != nil {
		return biz.Room{}, err
	}
	return fromRoomRow(row), nil
}
