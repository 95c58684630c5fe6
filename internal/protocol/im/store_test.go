package im_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// store is the repositories in memory. A room whose id begins with v keeps nothing.
type store struct {
	mu      sync.Mutex
	live    biz.Deliverer
	heads   map[biz.RoomID]int64
	floors  map[biz.RoomID]int64
	members map[biz.RoomID]map[biz.UserID]biz.Member
	log     []*biz.Message
	keys    map[[3]string]biz.Receipt
	at      map[biz.Cursor]int64
	held    []func() // appends that wait, while hold is set
	hold    bool
	pages   error
	lookups error // of cursors
}

func newStore() *store {
	return &store{
		heads: map[biz.RoomID]int64{}, floors: map[biz.RoomID]int64{}, members: map[biz.RoomID]map[biz.UserID]biz.Member{},
		keys: map[[3]string]biz.Receipt{}, at: map[biz.Cursor]int64{},
	}
}

func (s *store) room(id biz.RoomID) biz.Room {
	c := biz.DefaultRoomConfig()
	c.Persistent = id[0] != 'v'
	return biz.Room{ID: id, Config: c, HeadSeq: s.heads[id], FloorSeq: s.floors[id], Members: len(s.members[id])}
}

func (s *store) Room(_ context.Context, id biz.RoomID) (biz.Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members[id] == nil {
		return biz.Room{}, biz.ErrRoomNotFound(id)
	}
	return s.room(id), nil
}

func (s *store) Member(_ context.Context, room biz.RoomID, user biz.UserID) (biz.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.members[room][user]
	if !ok {
		return m, biz.ErrNotAMember(room, user)
	}
	return m, nil
}

func (s *store) Memberships(ctx context.Context, user biz.UserID, rooms []biz.RoomID) (found []biz.Membership, err error) {
	for _, id := range rooms {
		if m, err := s.Speaker(ctx, id, user); err == nil {
			found = append(found, m)
		}
	}
	return found, nil
}

func (s *store) Speaker(ctx context.Context, id biz.RoomID, user biz.UserID) (biz.Membership, error) {
	member, err := s.Member(ctx, id, user)
	if err != nil {
		return biz.Membership{}, err
	}
	room, err := s.Room(ctx, id)
	return biz.Membership{Room: room, Member: member}, err
}

func (s *store) Members(_ context.Context, room biz.RoomID, _ int) ([]biz.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.members[room])), nil
}

func (s *store) RoomsOf(_ context.Context, user biz.UserID) (rooms []biz.RoomID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for room, members := range s.members {
		if _, ok := members[user]; ok {
			rooms = append(rooms, room)
		}
	}
	return rooms, nil
}

func (s *store) Join(_ context.Context, id biz.RoomID, user biz.UserID, decide func(biz.JoinState) (biz.JoinPlan, error)) (biz.JoinResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := biz.JoinState{}
	if s.members[id] != nil {
		room := s.room(id)
		state.Room = &room
	}
	m, known := s.members[id][user]
	if known {
		state.Member = &m
	}
	plan, err := decide(state)
	if err != nil {
		return biz.JoinResult{}, err
	}
	if s.members[id] == nil {
		s.members[id] = map[biz.UserID]biz.Member{}
	}
	if !known {
		plan.Member.JoinSeq = s.heads[id]
	}
	s.members[id][user] = plan.Member
	return biz.JoinResult{Room: s.room(id), Member: plan.Member, Fresh: !known}, nil
}

func (s *store) Leave(_ context.Context, room biz.RoomID, user biz.UserID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.members[room][user]
	delete(s.members[room], user)
	return known, nil
}

// Append commits at once, or when release is called.
func (s *store) Append(d *biz.Draft, done func(biz.Receipt, error)) {
	s.mu.Lock()
	if s.hold {
		s.held = append(s.held, func() { s.commit(d, done) })
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.commit(d, done)
}

func (s *store) commit(d *biz.Draft, done func(biz.Receipt, error)) {
	s.mu.Lock()
	key := [3]string{string(d.Room), string(d.Sender), d.ClientID}
	if first, ok := s.keys[key]; ok && d.ClientID != "" {
		s.mu.Unlock()
		first.Duplicate = true
		done(first, nil)
		return
	}
	s.heads[d.Room]++
	d.Seq, d.Time = s.heads[d.Room], time.Now()
	d.ID = biz.NewMessageID(d.Room, d.Seq, d.Time)
	receipt := biz.Receipt{ID: d.ID, Seq: d.Seq, Time: d.Time}
	s.keys[key] = receipt
	s.log = append(s.log, &d.Message)
	s.mu.Unlock()
	s.live.Deliver(d)
	done(receipt, nil)
}

// setHold makes the commits that follow wait; unset, it lets all of them happen.
func (s *store) setHold(hold bool) {
	s.mu.Lock()
	held := s.held
	s.hold, s.held = hold, nil
	s.mu.Unlock()
	for _, commit := range held {
		commit()
	}
}

func (s *store) Page(_ context.Context, room biz.RoomID, after int64, limit int) (page []*biz.Message, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.log {
		if m.Room == room && m.Seq > max(after, s.floors[room]) && len(page) < limit {
			page = append(page, m)
		}
	}
	return page, s.pages
}

func (s *store) Floor(_ context.Context, room biz.RoomID) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.floors[room], s.pages
}

// setPages has pages of the log fail, or no more.
func (s *store) setPages(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = err
}

// forget deletes the messages of a room up to seq.
func (s *store) forget(room biz.RoomID, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floors[room] = seq
}

func (s *store) Cursors(_ context.Context, user biz.UserID, device biz.DeviceID, rooms []biz.RoomID) (map[biz.RoomID]biz.CursorState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := map[biz.RoomID]biz.CursorState{}
	for c, at := range s.at {
		if c.User != user || !slices.Contains(rooms, c.Room) {
			continue
		}
		if c.Device == device {
			states[c.Room] = biz.CursorState{Delivered: at, Known: true}
		} else if !states[c.Room].Known {
			states[c.Room] = biz.CursorState{}
		}
	}
	return states, s.lookups
}

func (s *store) Advance(c biz.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := c.Delivered
	c.Delivered = 0
	s.at[c] = max(s.at[c], at)
}

// cursor is how far a device has received room r.
func (s *store) cursor(user biz.UserID, device biz.DeviceID) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[biz.Cursor{Room: "r", User: user, Device: device}]
}

// inbox is a biz.Inbox in memory.
type inbox struct {
	mu   sync.Mutex
	kept []*biz.Push
}

func (b *inbox) Store(_ context.Context, _ biz.UserID, p *biz.Push, _ time.Time, _ biz.InboxLimits) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.InboxSeq = int64(len(b.kept) + 1)
	b.kept = append(b.kept, p)
	return nil
}

func (b *inbox) Page(_ context.Context, _ biz.UserID, after int64, _ int) (page []*biz.Push, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.kept {
		if p != nil && p.InboxSeq > after {
			page = append(page, p)
		}
	}
	return page, nil
}

func (b *inbox) Ack(_ biz.UserID, seq int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range min(int(seq), len(b.kept)) {
		b.kept[i] = nil
	}
}

func (b *inbox) Missed(_ biz.UserID, seq int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept[seq-1] = nil
}

func (b *inbox) State(context.Context, biz.UserID) (biz.InboxState, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return biz.InboxState{Last: int64(len(b.kept))}, nil
}
