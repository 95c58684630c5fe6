package data

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"

	"github.com/game-im/hermod/internal/biz"
)

// Members is a biz.MemberRepo. Like rooms, memberships in use answer from memory, unless nodes share the database.
type Members struct {
	db *DB
}

type memberKey struct {
	room biz.RoomID
	user biz.UserID
}

// NewMembers returns the memberships in db.
func NewMembers(db *DB) *Members { return &Members{db: db} }

// Member returns a membership, or KindNotFound.
func (r *Members) Member(ctx context.Context, room biz.RoomID, user biz.UserID) (biz.Member, error) {
	if r.db.shared {
		member, err := loadMember(r.db.reader.scanning(ctx), room, user)
		return member, storeError(err)
	}
	m, err := r.db.remembered(ctx, room, user)
	return m.Member, err
}

var selectMember = `SELECT ` + of("m", memberColumns) + ` FROM members m JOIN rooms r ON r.id = m.room_id
	WHERE m.room_id = ? AND m.user_id = ? AND r.deleted_at = 0`

func loadMember(read scan, room biz.RoomID, user biz.UserID) (biz.Member, error) {
	var row memberRow
	err := read(selectMember, []any{string(room), string(user)}, row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return biz.Member{}, biz.ErrNotAMember(room, user)
	}
	if err != nil {
		return biz.Member{}, err
	}
	return fromMemberRow(row), nil
}

// Members returns up to limit members in the order in which they joined.
func (r *Members) Members(ctx context.Context, room biz.RoomID, limit int) ([]biz.Member, error) {
	var rows []memberRow
	err := r.db.find(ctx, func(g *gorm.DB) error {
		return g.Where("room_id = ?", string(room)).Order("no").Limit(max(0, limit)).Find(&rows).Error
	})
	if err != nil {
		return nil, storeError(err)
	}
	members := make([]biz.Member, len(rows))
	for i, row := range rows {
		members[i] = fromMemberRow(row)
	}
	return members, nil
}

const selectRoomsOf = `SELECT m.room_id FROM members m JOIN rooms r ON r.id = m.room_id
	WHERE m.user_id = ? AND r.deleted_at = 0 ORDER BY m.no`

// RoomsOf returns the rooms that the user is a member of, in the order in which he joined them.
func (r *Members) RoomsOf(ctx context.Context, user biz.UserID) ([]biz.RoomID, error) {
	var rooms []biz.RoomID
	err := r.db.reader.each(ctx, selectRoomsOf, []any{string(user)}, func(row *sql.Rows) error {
		var room string
		err := row.Scan(&room)
		rooms = append(rooms, biz.RoomID(room))
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return rooms, nil
}

const (
	selectVersion = `SELECT version, kind FROM rooms WHERE id = ? AND deleted_at = 0`
	deleteMember  = `DELETE FROM members WHERE room_id = ? AND user_id = ?`
	deletePlain   = deleteMember + ` AND role < ?`
)

// Leave removes a membership and tells whether it has; see biz.MemberRepo.
func (r *Members) Leave(ctx context.Context, room biz.RoomID, user biz.UserID) (left bool, err error) {
	var version int64
	err = r.db.writer.doFor(ctx, lockRoom(room), func(t *tx) (err error) {
		left, version, err = leave(t, room, user)
		return err
	}, func() {
		if left {
			r.db.memory.left(memberKey{room, user}, version)
			r.db.tell(Change{Room: room, User: user, Version: version})
		}
	})
	return left && err == nil, err
}

// leave locks the room first, as all do that change who is in it, and returns its new version.
func leave(t *tx, room biz.RoomID, user biz.UserID) (left bool, version int64, err error) {
	var kind biz.RoomKind
	err = t.locked(selectVersion, []any{string(room)}, &version, &kind)
	if errors.Is(err, sql.ErrNoRows) {
		return false, 0, nil
	}
	if err != nil || kind == biz.KindDirect {
		return false, 0, err
	}
	left, err = removeMember(t, room, user, deletePlain, biz.RoleAdmin)
	if err != nil || !left {
		return false, 0, err
	}
	return true, version + 1, raiseVersion(t, room, -1)
}

const updateCount = `UPDATE rooms SET members = members + ?, version = version + 1 WHERE id = ?`

// raiseVersion notes that somebody has come, gone or changed.
func raiseVersion(t *tx, room biz.RoomID, members int) error {
	_, err := t.exec(updateCount, members, string(room))
	return err
}
