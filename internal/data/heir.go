package data

import (
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// Who has a role is found in an index that has only those who are more than users, where the database can leave the
// others out: "role > 1" is what it says of itself. When there is none, everybody is a user, in the order of "no".
// Neither is ordered by "no" alone: PostgreSQL and MySQL may then walk all members of all rooms in that order, since the
// first of the room must be near, which in one of the last rooms it is not.
const (
	selectOfRole = `SELECT ` + memberColumns + ` FROM members
		WHERE room_id = ? AND role > 1 AND role >= ? AND user_id <> ? ORDER BY role, no LIMIT 1`
	selectSenior = `SELECT ` + memberColumns + ` FROM members WHERE room_id >= ? ORDER BY room_id, no LIMIT 1 OFFSET ?`
)

// readHeir looks for one if there is something to inherit.
func (a *acting) readHeir(state *biz.ActState, of biz.UserID) (err error) {
	for _, m := range []*biz.Member{state.Sender, state.Member} {
		if m != nil && m.User == of && m.Role == biz.RoleAdmin {
			state.Heir, err = loadHeir(a.t.scan, a.g.room, of)
			return err
		}
	}
	return nil
}

// loadHeir returns nil where nobody else is. However large the room is it reads a row or two.
func loadHeir(read scan, room biz.RoomID, but biz.UserID) (*biz.Member, error) {
	for _, role := range []biz.Role{biz.RoleAdmin, biz.RoleModerator} {
		m, err := loadFirst(read, selectOfRole, string(room), role, string(but))
		if m != nil || err != nil {
			return m, err
		}
	}
	for place := range 2 { // the first may be himself
		m, err := loadFirst(read, selectSenior, string(room), place)
		if err != nil || m == nil || m.Room != room {
			return nil, err
		}
		if m.User != but {
			return m, nil
		}
	}
	return nil, nil
}

func loadFirst(read scan, query string, args ...any) (*biz.Member, error) {
	var row memberRow
	err := read(query, args, row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := fromMemberRow(row)
	return &m, nil
}
