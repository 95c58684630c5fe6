package biz_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// store is the repositories of rooms, members, messages and cursors in memory. Its mutex is the
// transaction.
type store struct {
	mu      sync.Mutex
	rooms   map[biz.RoomID]biz.Room
	members map[biz.RoomID][]biz.Member
	cursors map[biz.Cursor]bool
	drafts  []*biz.Draft
	events  []biz.Event // of acts
	live    *live       // who is told of acts; may be nil
	err     error       // what every read answers, if set
}

func newStore() *store {
	return &store{rooms: map[biz.RoomID]biz.Room{}, members: map[biz.RoomID][]biz.Member{}, cursors: map[biz.Cursor]bool{}}
}

// put adds a room with members, the first of whom is its admin.
func (s *store) put(room biz.Room, users ...biz.UserID) {
	for i, u := range users {
		m := biz.Member{Room: room.ID, User: u, Role: biz.RoleUser}
		if i == 0 {
			m.Role = biz.RoleAdmin
		}
		s.members[room.ID] = append(s.members[room.ID], m)
	}
	room.Members = len(s.members[room.ID])
	s.rooms[room.ID] = room
}

func (s *store) Room(_ context.Context, id biz.RoomID) (biz.Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room, ok := s.rooms[id]
	switch {
	case s.err != nil:
		return biz.Room{}, s.err
	case !ok:
		return biz.Room{}, biz.ErrRoomNotFound(id)
	}
	return room, nil
}

func (s *store) Member(_ context.Context, room biz.RoomID, user biz.UserID) (biz.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return biz.Member{}, s.err
	}
	if i := s.index(room, user); i >= 0 {
		return s.members[room][i], nil
	}
	return biz.Member{}, biz.ErrNotAMember(room, user)
}

func (s *store) Memberships(ctx context.Context, user biz.UserID, rooms []biz.RoomID) (found []biz.Membership, err error) {
	for _, id := range rooms {
		m, err := s.Speaker(ctx, id, user)
		switch {
		case err == nil:
			found = append(found, m)
		case biz.KindOf(err) != biz.KindNotFound:
			return nil, err
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
	return biz.Membership{Room: room, Member: member, Version: room.Version}, err
}

func (s *store) index(room biz.RoomID, user biz.UserID) int {
	return slices.IndexFunc(s.members[room], func(m biz.Member) bool { return m.User == user })
}

func (s *store) Members(_ context.Context, room biz.RoomID, limit int) ([]biz.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.members[room][:min(limit, len(s.members[room]))]), s.err
}

func (s *store) RoomsOf(_ context.Context, user biz.UserID) (rooms []biz.RoomID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for room := range s.members {
		if s.index(room, user) >= 0 {
			rooms = append(rooms, room)
		}
	}
	slices.Sort(rooms)
	return rooms, s.err
}

func (s *store) Join(ctx context.Context, id biz.RoomID, user biz.UserID, decide func(biz.JoinState) (biz.JoinPlan, error)) (biz.JoinResult, error) {
	rooms, err := s.RoomsOf(ctx, user)
	if err != nil {
		return biz.JoinResult{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := biz.JoinState{Rooms: len(rooms)}
	room, known := s.rooms[id]
	if known {
		state.Room = &room
	}
	at := s.index(id, user)
	if at >= 0 {
		m := s.members[id][at]
		state.Member = &m
	}
	plan, err := decide(state)
	if err != nil {
		return biz.JoinResult{}, err
	}
	if plan.Create != nil {
		room = *plan.Create
	}
	if at >= 0 {
		s.members[id][at] = plan.Member
	} else {
		plan.Member.JoinSeq = room.HeadSeq
		s.members[id] = append(s.members[id], plan.Member)
	}
	room.Members = len(s.members[id])
	s.rooms[id] = room
	return biz.JoinResult{Room: room, Member: plan.Member, Fresh: at < 0}, nil
}

func (s *store) Leave(_ context.Context, room biz.RoomID, user biz.UserID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.index(room, user)
	if at < 0 || s.err != nil || s.members[room][at].Role == biz.RoleAdmin || s.rooms[room].Kind == biz.KindDirect {
		return false, s.err
	}
	s.members[room] = slices.Delete(s.members[room], at, at+1)
	return true, nil
}

// act does what a log does with an act, as far as members and rooms are concerned.
func (s *store) act(d *biz.Draft) (biz.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room, ok := s.rooms[d.Room]
	switch {
	case s.err != nil:
		return biz.Receipt{}, s.err
	case !ok:
		return biz.Receipt{}, biz.ErrRoomNotFound(d.Room)
	}
	state := biz.ActState{Now: time.Now(), Room: room}
	needs := d.Act.Needs()
	for _, m := range s.members[d.Room] {
		if m.User == d.Sender {
			state.Sender = &m
		}
		if m.User == needs.Member {
			state.Member = &m
		}
		if m.User != needs.Heir && (state.Heir == nil || m.Role > state.Heir.Role) {
			state.Heir = &m
		}
	}
	plan, err := d.Act.Decide(state)
	if err != nil {
		return biz.Receipt{}, err
	}
	if plan.Member != nil {
		s.members[d.Room][s.index(d.Room, plan.Member.User)] = *plan.Member
	}
	if at := s.index(d.Room, plan.Remove); at >= 0 {
		s.members[d.Room] = slices.Delete(s.members[d.Room], at, at+1)
		if s.live != nil {
			s.live.Left(d.Room, plan.Remove)
		}
	}
	if plan.Room != nil {
		s.rooms[d.Room] = *plan.Room
	}
	if plan.Event != nil {
		s.events = append(s.events, *plan.Event)
	}
	return biz.Receipt{}, nil
}

func (s *store) Append(d *biz.Draft, done func(biz.Receipt, error)) {
	if d.Act != nil {
		done(s.act(d))
		return
	}
	s.mu.Lock()
	room := s.rooms[d.Room]
	room.HeadSeq++
	s.rooms[d.Room] = room
	d.Seq, d.Time = room.HeadSeq, time.Now()
	d.ID = biz.NewMessageID(d.Room, d.Seq, d.Time)
	s.drafts = append(s.drafts, d)
	s.mu.Unlock()
	done(biz.Receipt{ID: d.ID, Seq: d.Seq, Time: d.Time}, nil)
}

func (s *store) Page(_ context.Context, room biz.RoomID, after int64, limit int) (page []*biz.Message, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.drafts {
		if d.Room == room && d.Seq > max(after, s.rooms[room].FloorSeq) && len(page) < limit {
			page = append(page, &d.Message)
		}
	}
	return page, s.err
}

func (s *store) Floor(_ context.Context, room biz.RoomID) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms[room].FloorSeq, s.err
}

func (s *store) Cursors(_ context.Context, user biz.UserID, device biz.DeviceID, rooms []biz.RoomID) (map[biz.RoomID]biz.CursorState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := map[biz.RoomID]biz.CursorState{}
	for c := range s.cursors {
		if c.User != user || !slices.Contains(rooms, c.Room) {
			continue
		}
		state := states[c.Room]
		if c.Device == device {
			state = biz.CursorState{Delivered: c.Delivered, Known: true}
		}
		states[c.Room] = state
	}
	return states, s.err
}

func (s *store) Advance(c biz.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursors[c] = true
}

// live is a Deliverer and Presence that remembers.
type live struct {
	delivered []*biz.Draft
	joined    []biz.JoinResult
	left      []biz.Member
	online    []biz.UserID
}

func (l *live) Deliver(d *biz.Draft)    { l.delivered = append(l.delivered, d) }
func (l *live) Joined(j biz.JoinResult) { l.joined = append(l.joined, j) }
func (l *live) Left(r biz.RoomID, u biz.UserID) {
	l.left = append(l.left, biz.Member{Room: r, User: u})
}

func (l *live) Online(_ context.Context, users []biz.UserID) (online []biz.UserID) {
	for _, u := range users {
		if slices.Contains(l.online, u) {
			online = append(online, u)
		}
	}
	return online
}

// durable is a room with the default configuration.
func durable(id biz.RoomID) biz.Room { return biz.Room{ID: id, Config: biz.DefaultRoomConfig()} }

// Callers of every sort.
var (
	nobody   = biz.Identity{}
	devEmpty = biz.Identity{Trusted: true}
	devAlice = biz.Identity{User: "alice", Trusted: true}
	alice    = biz.Identity{User: "alice"}
	bob      = biz.Identity{User: "bob"}
	backend  = biz.Identity{User: "backend", Roles: []string{"other", biz.RoleService}}
)

// wantError fails unless err is a *biz.Error of that kind and reason; a reason of "" wants success.
func wantError(t *testing.T, err error, kind biz.Kind, reason string) {
	t.Helper()
	switch {
	case reason == "" && err != nil:
		t.Errorf("refused: %v", err)
	case reason == "":
	case err == nil:
		t.Errorf("accepted; want %s", reason)
	case biz.AsError(err).Reason != reason || biz.KindOf(err) != kind:
		t.Errorf("got %s (kind %d): %v; want %s (kind %d)", biz.AsError(err).Reason, biz.KindOf(err), err, reason, kind)
	}
}
