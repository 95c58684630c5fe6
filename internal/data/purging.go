package data

import (
	"database/sql"
	"errors"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// purging is one transaction of the retention: of some rooms, in the order of their ids as committers
// lock them too, it deletes what has passed the horizon, from the low end, and raises the floor to that.
type purging struct {
	rooms []biz.RoomID
	now   time.Time
	keep  biz.Retention
	// beyond has what is too much of rooms as MaxBytes has it: up to these seqs.
	beyond map[biz.RoomID]int64
	rows   int // at most

	floors  []raisedFloor
	deleted int64
	reasons map[string]int // of what is deleted
	through int            // how many of the rooms have nothing left to delete
}

type raisedFloor struct {
	room biz.RoomID
	seq  int64
}

// purgedRooms bounds how many rooms' rows one transaction locks.
const purgedRooms = 64

// run may run again: another node may have been in the way.
func (p *purging) run(t *tx) error {
	p.floors, p.deleted, p.reasons, p.through = nil, 0, map[string]int{}, 0
	left := p.rows
	for _, room := range p.rooms[:min(purgedRooms, len(p.rooms))] {
		n, err := p.purge(t, room, left)
		if err != nil {
			return err
		}
		if left -= n; left <= 0 { // there may be more in this room
			return nil
		}
		p.through++
	}
	return nil
}

const (
	selectHorizon = `SELECT message_ttl, head_seq, floor_seq FROM rooms WHERE id = ?`
	selectOldest  = `SELECT seq, created_at FROM messages WHERE room_id = ? AND seq > ? ORDER BY seq LIMIT ?`
	purgeMessages = `DELETE FROM messages WHERE room_id = ? AND seq > ? AND seq <= ?`
	raiseFloor    = `UPDATE rooms SET floor_seq = ? WHERE id = ?`
)

// purge deletes up to limit messages of a room and tells how many have passed the horizon, of those.
func (p *purging) purge(t *tx, room biz.RoomID, limit int) (n int, err error) {
	var ttl, head, floor int64
	err = t.locked(selectHorizon, []any{string(room)}, &ttl, &head, &floor)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	horizon := p.keep.Horizon(time.Duration(ttl)*time.Microsecond, head, p.now)
	number := horizon.UpTo
	horizon.UpTo = max(number, p.beyond[room])
	upTo := floor
	err = t.each(selectOldest, []any{string(room), floor, limit}, func(rows *sql.Rows) error {
		var seq, created int64
		if err := rows.Scan(&seq, &created); err != nil {
			return err
		}
		if !horizon.Passed(seq, fromMicros(created)) {
			return errEnough
		}
		upTo, n = seq, n+1
		switch {
		case fromMicros(created).Before(horizon.Before):
			p.reasons[purgedAge]++
		case seq <= number:
			p.reasons[purgedNumber]++
		default:
			p.reasons[purgedBytes]++
		}
		return nil
	})
	if err != nil || n == 0 {
		return 0, err
	}
	deleted, err := deleteMessages(t, string(room), floor, upTo)
	if err != nil {
		return 0, err
	}
	p.deleted += deleted
	p.floors = append(p.floors, raisedFloor{room, upTo})
	_, err = t.exec(raiseFloor, upTo, string(room))
	return n, err
}

// deleteMessages deletes those above after up to a seq, with all that is kept of them.
func deleteMessages(t *tx, room string, after, upTo int64) (int64, error) {
	if err := purgeAbout(t, room, after, upTo); err != nil {
		return 0, err
	}
	return t.exec(purgeMessages, room, after, upTo)
}
