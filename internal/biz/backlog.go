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

// NotIn returns those of the rooms that the user is not a member of.
func (b *Backlog) NotIn(ctx context.Context, user UserID, rooms []RoomID) ([]RoomID, error) {
	found, err := b.rooms.Memberships(ctx, user, rooms)
	if err != nil {
		return nil, err
	}
	in := make(map[RoomID]bool, len(found))
	for i := range found {
		in[found[i].Room.ID] = true
	}
	var others []RoomID
	for _, room := range rooms {
		if !in[room] {
			others = append(others, room)
		}
	}
	return others, nil
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
	// The cursors first: where a room stands then is never behind them.
	found, err := b.rooms.Memberships(ctx, user, rooms)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		state, known := cursors[m.Room.ID]
		positions = append(positions, position(&m, state, known))
	}
	return positions, nil
}

func position(m *Membership, cursor CursorState, anyCursor bool) Position {
	after := max(m.Member.JoinSeq, m.Room.FloorSeq)
	switch {
	case cursor.Known:
		after = max(m.Member.JoinSeq, cursor.Delivered)
	case anyCursor:
		after = max(after, m.Room.HeadSeq)
	}
	return Position{Room: m.Room.ID, After: after, Live: !m.Room.Config.Persistent}
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
