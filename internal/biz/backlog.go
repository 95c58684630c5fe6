package biz

import "context"

// CursorRepo keeps how far each device of a user has received each room.
type CursorRepo interface {
	// Cursors returns the cursors of one user in the given rooms. A room without any is absent.
	Cursors(ctx context.Context, user UserID, device DeviceID, rooms []RoomID) (map[RoomID]CursorState, error)
	// Advance moves a cursor forward, never back. It returns at once; moves are written in groups,
	// and the last ones may be lost with the process, which repeats messages and loses none.
	Advance(c Cursor)
}

// Cursor is how far one device of a user has received a room.
type Cursor struct {
	Room      RoomID
	User      UserID
	Device    DeviceID
	Delivered int64
}

// CursorState is what is known of a user's cursors in one room.
type CursorState struct {
	Delivered int64 // of the device asked for
	Known     bool  // that device has a cursor; if not, another one of the user has
}

// Position is where a session starts in a room.
type Position struct {
	Room  RoomID
	After int64 // the first message it gets has a higher seq
	// Live is set when there is nothing to catch up with because nothing is kept.
	Live bool
}

// Backlog is what members missed while they were away.
type Backlog struct {
	rooms   RoomRepo
	members MemberRepo
	log     MessageLog
	cursors CursorRepo
}

// NewBacklog returns the use cases of catching up.
func NewBacklog(rooms RoomRepo, members MemberRepo, log MessageLog, cursors CursorRepo) *Backlog {
	return &Backlog{rooms: rooms, members: members, log: log, cursors: cursors}
}

// Rooms returns the rooms that the user is a member of.
func (b *Backlog) Rooms(ctx context.Context, user UserID) ([]RoomID, error) {
	return b.members.RoomsOf(ctx, user)
}

// Belongs tells whether the user is a member of a room.
func (b *Backlog) Belongs(ctx context.Context, room RoomID, user UserID) (bool, error) {
	_, err := b.members.Member(ctx, room, user)
	if err != nil && KindOf(err) == KindNotFound {
		return false, nil
	}
	return err == nil, err
}

// Positions tells where a session of this device starts in each room: behind its cursor, also when that is
// below the retention floor, so that Page tells it what is gone; a new device of somebody who has others
// starts at the head; and a member without any cursor at the point where he joined, or at the retention
// floor. Rooms that the user is not in are left out.
func (b *Backlog) Positions(ctx context.Context, user UserID, device DeviceID, rooms []RoomID) ([]Position, error) {
	cursors, err := b.cursors.Cursors(ctx, user, device, rooms)
	if err != nil {
		return nil, err
	}
	positions := make([]Position, 0, len(rooms))
	for _, id := range rooms {
		member, err := b.members.Member(ctx, id, user)
		if err != nil && KindOf(err) == KindNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		room, err := b.rooms.Room(ctx, id)
		if err != nil {
			return nil, err
		}
		state, known := cursors[id]
		positions = append(positions, position(room, member, state, known))
	}
	return positions, nil
}

func position(room Room, member Member, cursor CursorState, anyCursor bool) Position {
	after := max(member.JoinSeq, room.FloorSeq)
	switch {
	case cursor.Known:
		after = max(member.JoinSeq, cursor.Delivered)
	case anyCursor:
		after = max(after, room.HeadSeq)
	}
	return Position{Room: room.ID, After: after, Live: !room.Config.Persistent}
}

// Page returns what follows in a room, as MessageLog.Page does, and up to where the messages between after
// and the page are gone: they had their time. That is 0 when none are.
func (b *Backlog) Page(ctx context.Context, room RoomID, after int64, limit int) (page []*Message, gone int64, err error) {
	page, err = b.log.Page(ctx, room, after, limit)
	if err != nil || len(page) > 0 && page[0].Seq == after+1 {
		return page, 0, err
	}
	if len(page) == 0 {
		info, err := b.rooms.Room(ctx, room)
		if err != nil || info.HeadSeq <= after {
			return nil, 0, err
		}
	}
	floor, err := b.log.Floor(ctx, room)
	if err != nil {
		return nil, 0, err
	}
	if len(page) > 0 { // it may have risen since the page was read
		floor = min(floor, page[0].Seq-1)
	}
	if floor <= after { // what is above was stored meanwhile
		return page, 0, nil
	}
	return page, floor, nil
}

// Delivered moves a cursor.
func (b *Backlog) Delivered(c Cursor) { b.cursors.Advance(c) }
