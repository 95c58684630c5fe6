package data

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/game-im/hermod/internal/biz"
)

// membershipColumns are those of a room and a member in one row, so that both are as of one moment.
var membershipColumns = of("r", roomColumns) + `, ` + of("m", memberColumns)

// of names the columns of one of the tables of a query.
func of(table, columns string) string {
	names := strings.Split(columns, ",")
	for i, name := range names {
		names[i] = table + "." + strings.TrimSpace(name)
	}
	return strings.Join(names, ", ")
}

type membershipRow struct {
	room   roomRow
	member memberRow
}

func (r *membershipRow) fields() []any { return append(r.room.fields(), r.member.fields()...) }

func (r *membershipRow) membership() biz.Membership {
	return biz.Membership{Room: fromRoomRow(r.room), Member: fromMemberRow(r.member), Version: r.room.Version}
}

var (
	selectMemberships = `SELECT ` + membershipColumns + ` FROM members m JOIN rooms r ON r.id = m.room_id WHERE r.deleted_at = 0 AND m.user_id = ? AND m.room_id `

	selectOneMembership   = selectMemberships + `= ?`
	selectManyMemberships = selectMemberships + `IN (` + places(askedRooms) + `)`
)

// memberships reads where the user stands in rooms, askedRooms at most.
func (db *DB) memberships(ctx context.Context, user biz.UserID, rooms []biz.RoomID) ([]biz.Membership, error) {
	byRoom := make(map[biz.RoomID]biz.Membership, len(rooms))
	query, args := askFor(user, rooms, selectOneMembership, selectManyMemberships)
	err := db.reader.each(ctx, query, args, func(rows *sql.Rows) error {
		var row membershipRow
		err := rows.Scan(row.fields()...)
		m := row.membership()
		byRoom[m.Room.ID] = m
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make([]biz.Membership, 0, len(byRoom))
	for _, room := range rooms {
		if m, ok := byRoom[room]; ok {
			found = append(found, m)
		}
	}
	return found, nil
}

var selectKeptMember = `SELECT r.version, ` + of("m", memberColumns) + `
	FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.room_id = ? AND m.user_id = ? AND r.deleted_at = 0`

// loadKeptMember reads a member with the version of his room.
func loadKeptMember(read scan, room biz.RoomID, user biz.UserID) (keptMember, error) {
	var row memberRow
	var version int64
	err := read(selectKeptMember, []any{string(room), string(user)}, append([]any{&version}, row.fields()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return keptMember{}, biz.ErrNotAMember(room, user)
	}
	if err != nil {
		return keptMember{}, err
	}
	return keptMember{fromMemberRow(row), version}, nil
}
