package data

import (
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// Who has a role is found in an index that has only those who are more than users, where the database can leave the
// others out: "role > 1" is what it says of itself. When there is none, everybody is a user, in the order of "no".
const (
	selectOfRole = `SELECT ` + memberColumns + ` FROM members
		WHERE room_id = ? AND role > 1 AND role = ? AND user_id <> ? ORDER BY no LIMIT 1`
	selectSenior = `SELECT ` + memberColumns + ` FROM members WHERE room_id = ? AND user_id <> ? ORDER BY no LIMIT 1`
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
		m, err := loadOther(read, selectOfRole, string(room), role, string(but))
		if m != nil || err != nil {
			return m, err
		}
	}
	return loadOther(read, selectSenior, string(room), string(but))
}

func loadOther(read scan, query string, args ...any) (*biz.Member, error) {
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
