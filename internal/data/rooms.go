package data

import (
	"context"
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// Rooms is a biz.RoomRepo.
//
// A room that is in use answers from memory, since every send asks for it. Its HeadSeq, LastActive
// and Members are exact there: the committer raises the head after each commit and before it
// publishes, so once a send was answered or a message delivered, Room shows a HeadSeq that is at
// least as high. See cache for what changes when several nodes share a database.
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
	room, err := db.rooms.get(id, func() (biz.Room, error) { return loadRoom(db.reader.scanning(ctx), id) })
	return room, storeError(err)
}

const selectRoom = `SELECT ` + roomColumns + ` FROM rooms WHERE id = ?`

func loadRoom(read scan, id biz.RoomID) (biz.Room, error) {
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
