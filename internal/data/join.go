package data

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
)

// Join calls decide with the present state and applies its plan, both in one transaction. decide
// may run more than once.
func (r *Members) Join(ctx context.Context, room biz.RoomID, user biz.UserID, decide func(biz.JoinState) (biz.JoinPlan, error)) (biz.JoinResult, error) {
	if res, ok := r.rejoin(ctx, room, user, decide); ok {
		return res, nil
	}
	for attempt := 1; ; attempt++ {
		var res biz.JoinResult
		var changed bool
		err := r.db.writer.doFor(ctx, lockRoom(room), func(t *tx) (err error) {
			res, changed, err = join(t, room, user, decide)
			return err
		}, func() {
			r.db.memory.joined(res.Room, res.Member)
			if changed {
				r.db.tell(Change{Room: room, User: user, Version: res.Room.Version})
			}
		})
		switch {
		case err == nil:
			return res, nil
		case !isDuplicate(err) || attempt == joinAttempts:
			return biz.JoinResult{}, err
		}
	}
}

// joinAttempts is how often a join begins anew because another node has made the same room or
// membership at the same time.
const joinAttempts = 3

// rejoin answers a join that changes nothing without a transaction: when a node restarts, all its
// clients come back and join the rooms that they are in. Whatever goes wrong here, the transaction
// meets again.
func (r *Members) rejoin(ctx context.Context, room biz.RoomID, user biz.UserID, decide func(biz.JoinState) (biz.JoinPlan, error)) (biz.JoinResult, bool) {
	found, err := NewRooms(r.db).Memberships(ctx, user, []biz.RoomID{room})
	if err != nil || len(found) == 0 {
		return biz.JoinResult{}, false
	}
	info, member := found[0].Room, found[0].Member
	rooms, err := countRooms(r.db.reader.scanning(ctx), user)
	if err != nil {
		return biz.JoinResult{}, false
	}
	before, asked := member, info
	plan, err := decide(biz.JoinState{Room: &asked, Member: &member, Rooms: rooms})
	if err != nil || plan.Create != nil || toMemberRow(plan.Member) != toMemberRow(before) {
		return biz.JoinResult{}, false
	}
	return biz.JoinResult{Room: info, Member: before}, true
}

// join tells what comes of it, and whether that is a change.
func join(t *tx, room biz.RoomID, user biz.UserID, decide func(biz.JoinState) (biz.JoinPlan, error)) (res biz.JoinResult, changed bool, err error) {
	state, err := loadJoinState(t.scan, t.locked, room, user)
	if err != nil {
		return biz.JoinResult{}, false, err
	}
	had := state.Member // decide sees a copy, as it may change what it gets
	shown := state
	if had != nil {
		m := *had
		shown.Member = &m
	}
	plan, err := decide(shown)
	if err != nil {
		return biz.JoinResult{}, false, refusal{err}
	}
	plan.Member.Room, plan.Member.User = room, user
	if had != nil {
		return changeMember(t, *state.Room, *had, plan.Member)
	}
	res, err = addMember(t, state.Room, plan)
	return res, true, err
}

func loadJoinState(read, lock scan, room biz.RoomID, user biz.UserID) (biz.JoinState, error) {
	var state biz.JoinState
	info, err := loadRoom(lock, room)
	switch {
	case err == nil:
		state.Room = &info
	case !notFound(err):
		return state, err
	}
	member, err := loadMember(read, room, user)
	switch {
	case err == nil:
		state.Member = &member
	case !notFound(err):
		return state, err
	}
	if state.Member != nil && state.Room == nil { // another node has made both between the two queries
		if info, err = loadRoom(lock, room); err != nil {
			return state, err
		}
		state.Room = &info
	}
	state.Rooms, err = countRooms(read, user)
	return state, err
}

func notFound(err error) bool { return biz.KindOf(err) == biz.KindNotFound }

const selectRoomCount = `SELECT count(*) FROM members WHERE user_id = ?`

func countRooms(read scan, user biz.UserID) (n int, err error) {
	err = read(selectRoomCount, []any{string(user)}, &n)
	return n, err
}

const updateMember = `UPDATE members SET nickname = ?, role = ?, muted = ? WHERE room_id = ? AND user_id = ?`

func changeMember(t *tx, room biz.Room, had, want biz.Member) (res biz.JoinResult, changed bool, err error) {
	want.JoinSeq, want.JoinedAt = had.JoinSeq, had.JoinedAt
	row := toMemberRow(want)
	if row == toMemberRow(had) {
		return biz.JoinResult{Room: room, Member: had}, false, nil
	}
	if _, err := t.exec(updateMember, row.Nickname, row.Role, row.Muted, row.RoomID, row.UserID); err != nil {
		return biz.JoinResult{}, false, err
	}
	room.Version++
	return biz.JoinResult{Room: room, Member: want}, true, raiseVersion(t, room.ID, 0)
}

var (
	insertRoom   = insertInto("rooms", roomColumns)
	insertMember = insertInto("members", memberColumns)
)

// addMember begins a membership at the head: the committer writes on the same connection, and those of
// other nodes wait for the lock of the room, so whatever is committed after this transaction has a higher
// seq, and whatever was before has not.
func addMember(t *tx, room *biz.Room, plan biz.JoinPlan) (biz.JoinResult, error) {
	if room == nil {
		if plan.Create == nil {
			return biz.JoinResult{}, biz.ErrRoomNotFound(plan.Member.Room)
		}
		row := toRoomRow(*plan.Create)
		row.ID, row.HeadSeq, row.FloorSeq, row.Members, row.Version = string(plan.Member.Room), 0, 0, 0, 0
		if _, err := t.exec(insertRoom, row.fields()...); err != nil {
			return biz.JoinResult{}, err
		}
		created := fromRoomRow(row)
		room = &created
	}
	plan.Member.JoinSeq = room.HeadSeq
	row := toMemberRow(plan.Member)
	if _, err := t.exec(insertMember, row.fields()...); err != nil {
		return biz.JoinResult{}, err
	}
	info := *room
	info.Members++
	info.Version++
	return biz.JoinResult{Room: info, Member: fromMemberRow(row), Fresh: true}, raiseVersion(t, info.ID, 1)
}
