package data

import (
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// A mute outlasts the membership: else who is muted would leave and join again. It is with the member while he is one,
// and here while he is not.
const (
	muteColumns = `room_id, user_id, until`

	selectMuted = `SELECT muted_until FROM members WHERE room_id = ? AND user_id = ? AND muted AND (muted_until = 0 OR muted_until > ?)`
	selectMute  = `SELECT until FROM mutes WHERE room_id = ? AND user_id = ? AND (until = 0 OR until > ?)`
	deleteMute  = `DELETE FROM mutes WHERE room_id = ? AND user_id = ?`
	deleteMutes = `DELETE FROM mutes WHERE room_id = ?`
)

var insertMute = insertInto("mutes", muteColumns)

// removeMember ends a membership by a statement that takes room, user and more, and keeps the member's mute if he has
// one. It tells whether the statement has removed him.
func removeMember(t *tx, room biz.RoomID, user biz.UserID, statement string, more ...any) (removed bool, err error) {
	mute, err := loadMute(t.scan, selectMuted, room, user)
	if err != nil {
		return false, err
	}
	who := []any{string(room), string(user)}
	n, err := t.exec(statement, slices.Concat(who, more)...)
	if err != nil || n == 0 || mute == nil {
		return n > 0, err
	}
	if _, err := t.exec(deleteMute, who...); err != nil { // one of before, which is over
		return false, err
	}
	_, err = t.exec(insertMute, string(room), string(user), toMicros(mute.Until))
	return true, err
}

// loadMute reads a mute by one of the queries above, and returns nil where none is in force.
func loadMute(read scan, query string, room biz.RoomID, user biz.UserID) (*biz.Mute, error) {
	var until int64
	err := read(query, []any{string(room), string(user), time.Now().UnixMicro()}, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	return &biz.Mute{Until: fromMicros(until)}, nil
}
