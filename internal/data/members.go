package data

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"

	"github.com/game-im/hermod/internal/biz"
)

// Members is a biz.MemberRepo. Like rooms, memberships in use answer from memory.
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
	member, err := r.db.members.get(memberKey{room, user}, func() (biz.Member, error) {
		return loadMember(r.db.reader.scanning(ctx), room, user)
	})
	return member, storeError(err)
}

const selectMember = `SELECT ` + memberColumns + ` FROM members WHERE room_id = ? AND user_id = ?`

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

const selectRoomsOf = `SELECT room_id FROM members WHERE user_id = ? ORDER BY no`

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

const deleteMember = `DELETE FROM members WHERE room_id = ? AND user_id = ?`

// Leave removes a membership and tells whether there was one.
func (r *Members) Leave(ctx context.Context, room biz.RoomID, user biz.UserID) (left bool, err error) {
	err = r.db.writer.do(ctx, func(t *tx) error {
		n, err := t.exec(deleteMember, string(room), string(user))
		if left = n > 0; err != nil || !left {
			return err
		}
		return changeCount(t, room, -1)
	}, func() {
		r.db.members.drop(memberKey{room, user})
		if left {
			r.db.rooms.update(room, func(v *biz.Room) { v.Members-- })
		}
	})
	return left && err == nil, err
}

const updateCount = `UPDATE rooms SET members = members + ? WHERE id = ?`

func changeCount(t *tx, room biz.RoomID, by int) error {
	_, err := t.exec(updateCount, by, string(room))
	return err
}
