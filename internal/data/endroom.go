package data

import "github.com/game-im/hermod/internal/biz"

const (
	// endedMembers is how many memberships end with their room in one transaction. Those of a larger room are
	// cleared away by the janitor.
	endedMembers = 1000

	endRoom = `UPDATE rooms SET deleted_at = ?, floor_seq = ?, head_seq = ?, members = 0, version = version + 1 WHERE id = ?`
	// A query within a query, since MySQL allows no LIMIT in what IN compares with.
	deleteMembers = `DELETE FROM members WHERE no IN (SELECT no FROM
		(SELECT no FROM members WHERE room_id = ? ORDER BY no LIMIT ?) AS first_ones)`
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
	for _, s := range []struct {
		statement string
		args      []any
	}{
		{endRoom, []any{at, a.g.head, a.g.head, room}},
		{deleteMembers, []any{room, endedMembers}},
		{deleteBans, []any{room}},
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

// clearEnded makes sure that nobody is left in a room that is made again.
func clearEnded(t *tx, room biz.RoomID) error {
	n, err := t.exec(deleteMembers, string(room), endedMembers)
	if err == nil && n == endedMembers {
		return errEnding(room)
	}
	return err
}

func errEnding(room biz.RoomID) error {
	return biz.Errorf(biz.KindUnavailable, "ROOM_UNAVAILABLE", "room %q was deleted, and its members are still being cleared away; try again in a minute", room)
}
