package data

import (
	"context"
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
		return loadMember(r.db.reading(ctx), room, user)
	})
	return member, storeError(err)
}

func loadMember(g *gorm.DB, room biz.RoomID, user biz.UserID) (biz.Member, error) {
	var row memberRow
	err := g.Take(&row, "room_id = ? AND user_id = ?", string(room), string(user)).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
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
	err := r.db.reading(ctx).Where("room_id = ?", string(room)).Order("no").Limit(max(0, limit)).Find(&rows).Error
	if err != nil {
		return nil, storeError(err)
	}
	members := make([]biz.Member, len(rows))
	for i, row := range rows {
		members[i] = fromMemberRow(row)
	}
	return members, nil
}

// RoomsOf returns the rooms that the user is a member of, in the order in which he joined them.
func (r *Members) RoomsOf(ctx context.Context, user biz.UserID) ([]biz.RoomID, error) {
	var rooms []biz.RoomID
	err := r.db.reading(ctx).Model(&memberRow{}).Where("user_id = ?", string(user)).Order("no").Pluck("room_id", &rooms).Error
	return rooms, storeError(err)
}

// Leave removes a membership and tells whether there was one.
func (r *Members) Leave(ctx context.Context, room biz.RoomID, user biz.UserID) (left bool, err error) {
	err = r.db.writer.do(ctx, func(t *tx) error {
		res := t.orm.Where("room_id = ? AND user_id = ?", string(room), string(user)).Delete(&memberRow{})
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		left = true
		return countMembers(t.orm, room, -1)
	}, func() {
		r.db.members.drop(memberKey{room, user})
		if left {
			r.db.rooms.update(room, func(v *biz.Room) { v.Members-- })
		}
	})
	return left && err == nil, err
}

func countMembers(g *gorm.DB, room biz.RoomID, change int) error {
	return g.Model(&roomRow{}).Where("id = ?", string(room)).
		Update("members", gorm.Expr("members + ?", change)).Error
}
