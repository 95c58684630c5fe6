package data

import (
	"database/sql"
	"errors"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// banRow is who is kept out of a room.
type banRow struct {
	RoomID    string
	UserID    string
	BannedBy  string
	Reason    string
	CreatedAt int64
	Until     int64
}

const banColumns = `room_id, user_id, banned_by, reason, created_at, until`

func (r *banRow) fields() []any {
	return []any{&r.RoomID, &r.UserID, &r.BannedBy, &r.Reason, &r.CreatedAt, &r.Until}
}

func toBanRow(b biz.Ban) banRow {
	return banRow{
		RoomID: string(b.Room), UserID: string(b.User), BannedBy: string(b.By), Reason: b.Reason,
		CreatedAt: toMicros(b.At), Until: toMicros(b.Until),
	}
}

func fromBanRow(r banRow) biz.Ban {
	return biz.Ban{
		Room: biz.RoomID(r.RoomID), User: biz.UserID(r.UserID), By: biz.UserID(r.BannedBy), Reason: r.Reason,
		At: fromMicros(r.CreatedAt), Until: fromMicros(r.Until),
	}
}

const (
	invitationColumns = `room_id, user_id, inviter, created_at`

	selectBan        = `SELECT ` + banColumns + ` FROM bans WHERE room_id = ? AND user_id = ? AND (until = 0 OR until > ?)`
	selectInvitation = `SELECT inviter, created_at FROM invitations WHERE room_id = ? AND user_id = ?`
	deleteBan        = `DELETE FROM bans WHERE room_id = ? AND user_id = ?`
	deleteInvitation = `DELETE FROM invitations WHERE room_id = ? AND user_id = ?`
)

var (
	insertBan        = insertInto("bans", banColumns)
	insertInvitation = insertInto("invitations", invitationColumns)
)

// loadBan returns nil where none is in force.
func loadBan(read scan, room biz.RoomID, user biz.UserID, now time.Time) (*biz.Ban, error) {
	var row banRow
	err := read(selectBan, []any{string(room), string(user), now.UnixMicro()}, row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := fromBanRow(row)
	return &b, nil
}

// loadInvitation returns nil where there is none.
func loadInvitation(read scan, room biz.RoomID, user biz.UserID) (*biz.Invitation, error) {
	var inviter string
	var created int64
	err := read(selectInvitation, []any{string(room), string(user)}, &inviter, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &biz.Invitation{Room: room, User: user, Inviter: biz.UserID(inviter), At: fromMicros(created)}, nil
}

const (
	countInvitationsOf   = `SELECT count(*) FROM invitations WHERE room_id = ?`
	countInvitationsUser = `SELECT count(*) FROM invitations WHERE user_id = ?`
)

func (a *acting) countInvitations(state *biz.ActState, user biz.UserID) error {
	if err := a.t.scan(countInvitationsOf, []any{string(a.g.room)}, &state.Invited); err != nil {
		return err
	}
	return a.t.scan(countInvitationsUser, []any{string(user)}, &state.Invites)
}
