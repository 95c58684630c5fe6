package data

import (
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

const (
	// endedMembers is how many memberships end with their room in one transaction. Those of a larger room are
	// cleared away by the janitor.
	endedMembers = 1000

	endRoom = `UPDATE rooms SET deleted_at = ?, floor_seq = ?, head_seq = ?, members = 0, version = version + 1 WHERE id = ?`
	// Ordered so that the index of a room's users is used, which is of no use for anything else here.
	selectPlace       = `SELECT room_id, user_id FROM members WHERE room_id >= ? ORDER BY room_id, user_id LIMIT 1 OFFSET ?`
	deleteUpTo        = `DELETE FROM members WHERE room_id = ? AND user_id <= ?`
	deleteMembersLeft = `DELETE FROM members WHERE room_id = ?`
	deleteBans        = `DELETE FROM bans WHERE room_id = ?`
	deleteInvitations = `DELETE FROM invitations WHERE room_id = ?`
	deleteRoomRow     = `DELETE FROM rooms WHERE id = ?`
	deleteEnded       = `DELETE FROM ended_rooms WHERE room_id = ?`
	insertEnded       = `INSERT INTO ended_rooms (room_id, floor_seq, created_at) VALUES (?, ?, ?)`
)

// endRoom deletes the room. Its row stays, and with it the head, so that whoever makes the room again goes on
// behind it; what was said is out of sight at once, and cleared away in time.
func (a *acting) endRoom() error {
	room, at := string(a.g.room), a.now.UnixMicro()
	if _, err := deleteMembers(a.t, room, endedMembers); err != nil {
		return err
	}
	for _, s := range []struct {
		statement string
		args      []any
	}{
		{endRoom, []any{at, a.g.head, a.g.head, room}},
		{deleteBans, []any{room}},
		{deleteMutes, []any{room}},
		{deleteInvitations, []any{room}},
		{deleteEnded, []any{room}},
		{insertEnded, []any{room, a.g.head, at}},
	} {
		if _, err := a.t.exec(s.statement, s.args...); err != nil {
			return err
		}
	}
	a.g.version++
	a.g.gone = true
	a.g.changes = append(a.g.changes, Change{Room: a.g.room, Version: a.g.version})
	return nil
}

// deleteMembers deletes up to limit members of a room, and tells how many it were. Servers would look at all members
// of all rooms for a statement that deletes what a query with a LIMIT finds: so it is one for where the last of them
// stands, and one that deletes up to there.
func deleteMembers(t *tx, room string, limit int) (int64, error) {
	var found, last string
	err := t.scan(selectPlace, []any{room, limit - 1}, &found, &last)
	switch {
	case err == nil && found == room:
		return t.exec(deleteUpTo, room, last)
	case err == nil || errors.Is(err, sql.ErrNoRows): // there are fewer
		return t.exec(deleteMembersLeft, room)
	}
	return 0, err
}

// clearEnded makes sure that nobody is left in a room that is made again.
func clearEnded(t *tx, room biz.RoomID) error {
	n, err := deleteMembers(t, string(room), endedMembers)
	if err == nil && n == endedMembers {
		return errEnding(room)
	}
	return err
}

func errEnding(room biz.RoomID) error {
	return biz.Errorf(biz.KindUnavailable, "ROOM_UNAVAILABLE", "room %q was deleted, and its members are still being cleared away; try again in a minute", room)
}
