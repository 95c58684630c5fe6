package biz

import (
	"context"
	"crypto/rand"
	"time"
)

// RoomAdmin is what is done about rooms and their members. Who may do what is said in policy.go, decided where it is
// done, and told to the room. Safe for concurrent use.
type RoomAdmin struct {
	rooms  *Rooms
	book   RoomBook
	past   *History
	encode EventEncoder
}

// NewRoomAdmin returns the use cases of administration.
func NewRoomAdmin(rooms *Rooms, book RoomBook, past *History, encode EventEncoder) *RoomAdmin {
	return &RoomAdmin{rooms: rooms, book: book, past: past, encode: encode}
}

// CreateRoom asks for a room.
type CreateRoom struct {
	User        UserID // who creates it; empty: the caller
	Room        RoomID // empty: one is chosen
	Name        string // empty: as its id
	Description string
	Config      *RoomConfig // nil: as the node has it for new rooms
	Nickname    string      // of the creator
	Session     SessionID   // as in JoinRequest
}

// Create makes a room, whose first member and admin is its creator.
func (a *RoomAdmin) Create(ctx context.Context, by Identity, req CreateRoom) (JoinResult, error) {
	user, err := by.ActAs(req.User)
	if err != nil {
		return JoinResult{}, err
	}
	if err := req.check(); err != nil {
		return JoinResult{}, err
	}
	res, err := a.rooms.join(ctx, by, req.Room, user, func(s JoinState) (JoinPlan, error) {
		return req.decide(s, user, a.rooms.rules.Load())
	})
	if err != nil {
		return JoinResult{}, err
	}
	res.Session = req.Session
	a.rooms.live.Joined(res)
	return res, nil
}

func (req *CreateRoom) check() error {
	if req.Room == "" {
		req.Room = RoomID(rand.Text())
	}
	if err := checkID("room_id", string(req.Room)); err != nil {
		return err
	}
	if isDirect(req.Room) {
		return errDirectID(req.Room)
	}
	if err := checkOptionalID("nickname", req.Nickname); err != nil {
		return err
	}
	if err := checkRoomTexts(req.Name, req.Description); err != nil {
		return err
	}
	if req.Config == nil {
		return nil
	}
	return req.Config.check()
}

func (req *CreateRoom) decide(s JoinState, user UserID, rules *RoomRules) (JoinPlan, error) {
	switch {
	case s.Room != nil:
		return JoinPlan{}, Errorf(KindConflict, "ROOM_EXISTS", "room %q exists already; join it, or choose another room_id", req.Room)
	case rules.MaxPerUser > 0 && s.Rooms >= rules.MaxPerUser:
		return JoinPlan{}, errTooManyRooms(user, s.Rooms, rules.MaxPerUser)
	}
	now := time.Now()
	room := &Room{
		ID: req.Room, Name: req.Name, Description: req.Description, Config: rules.Defaults, CreatedAt: now, LastActive: now,
	}
	if room.Name == "" {
		room.Name = string(req.Room)
	}
	if req.Config != nil {
		room.Config = *req.Config
	}
	return JoinPlan{Create: room, Member: Member{Room: req.Room, User: user, Nickname: req.Nickname, Role: RoleAdmin, JoinedAt: now}}, nil
}

// UpdateRoom asks for a change of a room; what is nil stays as it is.
type UpdateRoom struct {
	User        UserID
	Room        RoomID
	Name        *string
	Description *string
	Config      *RoomConfig // as a whole; whether it is persistent cannot be changed
}

// Update changes what a room is called and what it accepts.
func (a *RoomAdmin) Update(ctx context.Context, by Identity, req UpdateRoom) (Room, error) {
	actor, err := a.actor(by, req.User, req.Room)
	if err != nil {
		return Room{}, err
	}
	if err := checkRoomTexts(orNone(req.Name), orNone(req.Description)); err != nil {
		return Room{}, err
	}
	if req.Config != nil {
		if err := req.Config.check(); err != nil {
			return Room{}, err
		}
	}
	var room Room
	err = a.act(ctx, req.Room, actor, ActNeeds{}, func(s ActState) (ActPlan, error) {
		if err := May(actor, ActUpdateRoom, &s.Room, s.Sender, nil); err != nil {
			return ActPlan{}, err
		}
		room = s.Room
		if err := req.apply(&room); err != nil || room == s.Room {
			return ActPlan{}, err
		}
		changed := room
		return ActPlan{Room: &changed, Event: &Event{Type: EventRoomUpdated, By: actor.User, Data: about(actor, "", ""), Room: &changed}}, nil
	})
	if err != nil { // it may be decided yet
		return Room{}, err
	}
	return room, nil
}

func orNone(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (req *UpdateRoom) apply(room *Room) error {
	if req.Name != nil {
		room.Name = *req.Name
	}
	if req.Description != nil {
		room.Description = *req.Description
	}
	switch {
	case req.Config == nil:
		return nil
	case req.Config.Persistent != room.Config.Persistent:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "config.persistent is %v and the room's is %v, which cannot be changed", req.Config.Persistent, room.Config.Persistent)
	}
	room.Config = *req.Config
	return nil
}

// Delete ends a room for everybody. Its members are told, and what was said in it is gone.
func (a *RoomAdmin) Delete(ctx context.Context, by Identity, room RoomID, named UserID) error {
	actor, err := a.actor(by, named, room)
	if err != nil {
		return err
	}
	return a.act(ctx, room, actor, ActNeeds{}, func(s ActState) (ActPlan, error) {
		if err := May(actor, ActDeleteRoom, &s.Room, s.Sender, nil); err != nil {
			return ActPlan{}, err
		}
		return ending(s, actor, "deleted"), nil
	})
}

// ending is the end of a room.
func ending(s ActState, actor Actor, reason string) ActPlan {
	ended := s.Room
	ended.DeletedAt = s.Now
	return ActPlan{Room: &ended, Event: &Event{Type: EventRoomDeleted, By: actor.User, Data: about(actor, "", reason)}}
}

// actor returns who wants to do something in a room.
func (a *RoomAdmin) actor(by Identity, named UserID, room RoomID) (Actor, error) {
	actor, err := ActorOf(by, named)
	if err != nil {
		return Actor{}, err
	}
	return actor, checkID("room_id", string(room))
}

func (a *RoomAdmin) act(ctx context.Context, room RoomID, actor Actor, needs ActNeeds, decide func(ActState) (ActPlan, error)) error {
	return perform(ctx, a.rooms.log, room, actor, &decision{needs, decide})
}
