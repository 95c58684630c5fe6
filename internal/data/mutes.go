package data

import (
	"database/sql"
	"errors"
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

// keepMute keeps the mute of a member who is about to be one no more, if he has one.
func keepMute(t *tx, room biz.RoomID, user biz.UserID) error {
	until, muted, err := muteOf(t.scan, selectMuted, room, user)
	if err != nil || !muted {
		return err
	}
	if _, err := t.exec(deleteMute, string(room), string(user)); err != nil { // one of before, which is over
		return err
	}
	_, err = t.exec(insertMute, string(room), string(user), toMicros(until))
	return err
}

// loadMute returns nil where none is in force.
func loadMute(read scan, room biz.RoomID, user biz.UserID) (*biz.Mute, error) {
	until, muted, err := muteOf(read, selectMute, room, user)
	if err != nil || !muted {
		return nil, err
	}
	return &biz.Mute{Until: until}, nil
}

func muteOf(read scan, query string, room biz.RoomID, user biz.UserID) (until time.Time, muted bool, err error) {
	var micros int64
	err = read(query, []any{string(room), string(user), time.Now().UnixMicro()}, &micros)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return fromMicros(micros), err == nil, err
}
