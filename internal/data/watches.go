package data

import (
	"context"
	"database/sql"

	"github.com/game-im/hermod/internal/biz"
)

// Watches is a biz.WatchRepo. It asks the database, and what it sees there of rooms is news to what this node
// remembers of them.
type Watches struct {
	db *DB
}

// NewWatches returns a look at what is in db.
func NewWatches(db *DB) *Watches { return &Watches{db: db} }

var (
	selectHeads = `SELECT id, head_seq, version FROM rooms WHERE id IN (` + places(biz.MaxWatched) + `)`
	selectAmong = `SELECT m.user_id FROM members m JOIN rooms r ON r.id = m.room_id
		WHERE m.room_id = ? AND r.deleted_at = 0 AND m.user_id IN (` + places(biz.MaxWatched) + `)`
)

// Heads returns where rooms stand, biz.MaxWatched at most. A room that does not exist is absent.
func (w *Watches) Heads(ctx context.Context, rooms []biz.RoomID) (map[biz.RoomID]biz.RoomHead, error) {
	heads := make(map[biz.RoomID]biz.RoomHead, len(rooms))
	if len(rooms) == 0 {
		return heads, nil
	}
	err := w.db.reader.each(ctx, selectHeads, filled(nil, rooms), func(rows *sql.Rows) error {
		var id string
		var h biz.RoomHead
		err := rows.Scan(&id, &h.Seq, &h.Version)
		heads[biz.RoomID(id)] = h
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	for room, h := range heads {
		w.db.memory.saw(room, h.Version)
	}
	return heads, nil
}

// Absent returns those of the users, biz.MaxWatched at most, who are not members of the room.
func (w *Watches) Absent(ctx context.Context, room biz.RoomID, users []biz.UserID) ([]biz.UserID, error) {
	if len(users) == 0 {
		return nil, nil
	}
	in := make(map[biz.UserID]bool, len(users))
	err := w.db.reader.each(ctx, selectAmong, filled([]any{string(room)}, users), func(rows *sql.Rows) error {
		var user string
		err := rows.Scan(&user)
		in[biz.UserID(user)] = true
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	var absent []biz.UserID
	for _, user := range users {
		if !in[user] {
			absent = append(absent, user)
		}
	}
	return absent, nil
}

// filled are arguments for a query with biz.MaxWatched places: the last id stands in all that are left over.
func filled[ID ~string](args []any, ids []ID) []any {
	for i := range biz.MaxWatched {
		args = append(args, string(ids[min(i, len(ids)-1)]))
	}
	return args
}
