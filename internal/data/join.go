package data

import (
	"context"
	"time"

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
	state, ended, err := loadJoinState(t.scan, t.locked, room, user)
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
	if state.Room == nil {
		if state.Room, err = createRoom(t, ended, room, &plan); err != nil {
			return biz.JoinResult{}, false, err
		}
	}
	if state.Invitation != nil {
		if _, err := t.exec(deleteInvitation, string(room), string(user)); err != nil {
			return biz.JoinResult{}, false, err
		}
	}
	if state.Mute != nil {
		if _, err := t.exec(deleteMute, string(room), string(user)); err != nil {
			return biz.JoinResult{}, false, err
		}
	}
	res, err = addMember(t, *state.Room, plan.Member)
	return res, true, err
}

// loadJoinState returns a room that was deleted apart from the state, which has none then.
func loadJoinState(read, lock scan, room biz.RoomID, user biz.UserID) (state biz.JoinState, ended *biz.Room, err error) {
	info, err := loadAnyRoom(lock, room)
	switch {
	case err == nil && info.DeletedAt.IsZero():
		state.Room = &info
	case err == nil:
		ended = &info
	case !notFound(err):
		return state, nil, err
	}
	if ended == nil {
		member, err := loadMember(read, room, user)
		switch {
		case err == nil:
			state.Member = &member
		case !notFound(err):
			return state, nil, err
		}
	}
	if state.Member != nil && state.Room == nil { // another node has made both between the two queries
		if info, err = loadRoom(lock, room); err != nil {
			return state, nil, err
		}
		state.Room = &info
	}
	if state.Room != nil && state.Member == nil {
		if state.Ban, err = loadBan(read, room, user, time.Now()); err != nil {
			return state, nil, err
		}
		if state.Invitation, err = loadInvitation(read, room, user); err != nil {
			return state, nil, err
		}
		if state.Mute, err = loadMute(read, selectMute, room, user); err != nil {
			return state, nil, err
		}
	}
	state.Rooms, err = countRooms(read, user)
	return state, ended, err
}

func notFound(err error) bool { return biz.KindOf(err) == biz.KindNotFound }

// Of rooms that were deleted, members may be left for a while. Direct rooms do not count: others make them, and nobody
// can leave them.
const selectRoomCount = `SELECT count(*) FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = ? AND r.deleted_at = 0 AND r.kind <> ?`

func countRooms(read scan, user biz.UserID) (n int, err error) {
	err = read(selectRoomCount, []any{string(user), biz.KindDirect}, &n)
	return n, err
}

const updateMember = `UPDATE members SET nickname = ?, role = ?, muted = ?, muted_until = ? WHERE room_id = ? AND user_id = ?`

func changeMember(t *tx, room biz.Room, had, want biz.Member) (res biz.JoinResult, changed bool, err error) {
	want.JoinSeq, want.JoinedAt = had.JoinSeq, had.JoinedAt
	row := toMemberRow(want)
	if row == toMemberRow(had) {
		return biz.JoinResult{Room: room, Member: had}, false, nil
	}
	if _, err := t.exec(updateMember, row.Nickname, row.Role, row.Muted, row.MutedUntil, row.RoomID, row.UserID); err != nil {
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
func addMember(t *tx, room biz.Room, m biz.Member) (biz.JoinResult, error) {
	m.JoinSeq = room.HeadSeq
	row := toMemberRow(m)
	if _, err := t.exec(insertMember, row.fields()...); err != nil {
		return biz.JoinResult{}, err
	}
	room.Members++
	room.Version++
	return biz.JoinResult{Room: room, Member: fromMemberRow(row), Fresh: true}, raiseVersion(t, room.ID, 1)
}

// createRoom makes the room of a plan, with those in it who are to be in it from the start. One that was deleted goes
// on behind its head.
func createRoom(t *tx, ended *biz.Room, id biz.RoomID, plan *biz.JoinPlan) (*biz.Room, error) {
	if plan.Create == nil {
		return nil, biz.ErrRoomNotFound(id)
	}
	row := toRoomRow(*plan.Create)
	row.ID, row.HeadSeq, row.FloorSeq, row.Members, row.Version, row.DeletedAt = string(id), 0, 0, 0, 0, 0
	if ended != nil {
		if err := clearEnded(t, id); err != nil {
			return nil, err
		}
		row.HeadSeq, row.FloorSeq, row.Version = ended.HeadSeq, ended.HeadSeq, ended.Version
		if _, err := t.exec(deleteRoomRow, row.ID); err != nil {
			return nil, err
		}
	}
	if _, err := t.exec(insertRoom, row.fields()...); err != nil {
		return nil, err
	}
	created := fromRoomRow(row)
	for _, m := range plan.With {
		m.Room = id
		res, err := addMember(t, created, m)
		if err != nil {
			return nil, err
		}
		created = res.Room
	}
	return &created, nil
}
