package data

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// RoomBook is a biz.RoomBook. It asks the database, and no cache.
type RoomBook struct {
	db *DB
}

// NewRoomBook returns what administration reads in db.
func NewRoomBook(db *DB) *RoomBook { return &RoomBook{db: db} }

var selectMembersAfter = `SELECT m.no, ` + of("m", memberColumns) + ` FROM members m WHERE m.room_id = ? AND m.no > ? ORDER BY m.no LIMIT ?`

// Members returns up to limit members who joined after the one at a place, and the place of the last.
func (b *RoomBook) Members(ctx context.Context, room biz.RoomID, after int64, limit int) (members []biz.Member, last int64, err error) {
	err = b.db.reader.each(ctx, selectMembersAfter, []any{string(room), after, limit}, func(rows *sql.Rows) error {
		var row memberRow
		err := rows.Scan(append([]any{&last}, row.fields()...)...)
		members = append(members, fromMemberRow(row))
		return err
	})
	if err != nil {
		return nil, 0, storeError(err)
	}
	return members, last, nil
}

const selectBans = `SELECT ` + banColumns + ` FROM bans WHERE room_id = ? AND user_id > ? AND (until = 0 OR until > ?) ORDER BY user_id LIMIT ?`

// Bans returns up to limit bans that are in force, of users with ids above after.
func (b *RoomBook) Bans(ctx context.Context, room biz.RoomID, after biz.UserID, limit int) (bans []biz.Ban, err error) {
	args := []any{string(room), string(after), time.Now().UnixMicro(), limit}
	err = b.db.reader.each(ctx, selectBans, args, func(rows *sql.Rows) error {
		var row banRow
		err := rows.Scan(row.fields()...)
		bans = append(bans, fromBanRow(row))
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return bans, nil
}

var selectOwnRooms = `SELECT m.no, m.read_seq, ` + membershipColumns + ` FROM members m JOIN rooms r ON r.id = m.room_id
	WHERE m.user_id = ? AND m.no > ? AND r.deleted_at = 0 ORDER BY m.no LIMIT ?`

// RoomsOf returns up to limit rooms that the user has joined after the one at a place.
func (b *RoomBook) RoomsOf(ctx context.Context, user biz.UserID, after int64, limit int) (rooms []biz.OwnRoom, err error) {
	var direct []biz.RoomID
	err = b.db.reader.each(ctx, selectOwnRooms, []any{string(user), after, limit}, func(rs *sql.Rows) error {
		var row membershipRow
		var own biz.OwnRoom
		err := rs.Scan(append([]any{&own.Place, &own.Read}, row.fields()...)...)
		own.Membership = row.membership()
		if own.Room.Kind == biz.KindDirect {
			direct = append(direct, own.Room.ID)
		}
		rooms = append(rooms, own)
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	peers, err := b.peers(ctx, user, direct)
	if err != nil {
		return nil, storeError(err)
	}
	for i := range rooms {
		rooms[i].Peer = peers[rooms[i].Room.ID]
	}
	return rooms, nil
}

const selectPeers = `SELECT room_id, user_id FROM members WHERE user_id <> ? AND room_id `

var (
	selectOnePeer   = selectPeers + `= ?`
	selectManyPeers = selectPeers + `IN (` + places(askedRooms) + `)`
)

// peers returns who else is in direct rooms.
func (b *RoomBook) peers(ctx context.Context, user biz.UserID, direct []biz.RoomID) (map[biz.RoomID]biz.UserID, error) {
	peers := make(map[biz.RoomID]biz.UserID, len(direct))
	for part := range slices.Chunk(direct, askedRooms) {
		query, args := askFor(user, part, selectOnePeer, selectManyPeers)
		err := b.db.reader.each(ctx, query, args, func(rows *sql.Rows) error {
			var room, peer string
			err := rows.Scan(&room, &peer)
			peers[biz.RoomID(room)] = biz.UserID(peer)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return peers, nil
}

const selectInvitations = `SELECT i.room_id, r.name, i.inviter, i.created_at FROM invitations i JOIN rooms r ON r.id = i.room_id
	WHERE i.user_id = ? AND r.deleted_at = 0 ORDER BY i.created_at DESC, i.room_id LIMIT ?`

// Invitations returns those of a user, the newest first, with the names of the rooms.
func (b *RoomBook) Invitations(ctx context.Context, user biz.UserID, limit int) (list []biz.NamedInvitation, err error) {
	err = b.db.reader.each(ctx, selectInvitations, []any{string(user), limit}, func(rows *sql.Rows) error {
		i := biz.NamedInvitation{Invitation: biz.Invitation{User: user}}
		var created int64
		err := rows.Scan(&i.Room, &i.Name, &i.Inviter, &created)
		i.At = fromMicros(created)
		list = append(list, i)
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return list, nil
}

// All rooms are looked at, in parts, since there are few that may be idle, and no index for them.
const selectIdle = `SELECT id, persistent, idle_timeout, last_active, deleted_at FROM rooms WHERE id > ? ORDER BY id LIMIT ?`

// Idle returns the rooms among the next ones in which nothing was stored for longer than they may be idle.
func (b *RoomBook) Idle(ctx context.Context, after biz.RoomID, limit int) (idle []biz.IdleRoom, last biz.RoomID, err error) {
	now, seen := time.Now().UnixMicro(), 0
	err = b.db.reader.each(ctx, selectIdle, []any{string(after), limit}, func(rows *sql.Rows) error {
		var persistent bool
		var timeout, active, deleted int64
		if err := rows.Scan(&last, &persistent, &timeout, &active, &deleted); err != nil {
			return err
		}
		if seen++; timeout > 0 && deleted == 0 && active+timeout < now {
			idle = append(idle, biz.IdleRoom{ID: last, Persistent: persistent, Timeout: time.Duration(timeout) * time.Microsecond})
		}
		return nil
	})
	if err != nil {
		return nil, "", storeError(err)
	}
	if seen < limit {
		last = ""
	}
	return idle, last, nil
}
