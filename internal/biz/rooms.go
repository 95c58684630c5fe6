package biz

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// MaxListedMembers bounds the user lists in one answer; counts are always exact.
const MaxListedMembers = 1000

// RoomRepo reads rooms. Except for Speaker, it sees what other nodes have committed.
type RoomRepo interface {
	// Room returns a room, or KindNotFound.
	Room(ctx context.Context, id RoomID) (Room, error)
	// Memberships returns where the user stands in those of the rooms that he is a member of, in their order.
	Memberships(ctx context.Context, user UserID, rooms []RoomID) ([]Membership, error)
	// Speaker returns a member with his room as this node remembers them, or KindNotFound, which is never
	// from memory. Another node may have changed them since: what rests on it names its Version.
	Speaker(ctx context.Context, room RoomID, user UserID) (Membership, error)
}

// Membership is a room and one of its members.
type Membership struct {
	Room    Room
	Member  Member
	Version int64 // of the room, as of which both are as they are here
}

// MemberRepo keeps who belongs to which room. It sees what other nodes have committed.
type MemberRepo interface {
	// Member returns a membership, or KindNotFound.
	Member(ctx context.Context, room RoomID, user UserID) (Member, error)
	// Members returns up to limit members in the order in which they joined.
	Members(ctx context.Context, room RoomID, limit int) ([]Member, error)
	// RoomsOf returns the rooms that the user is a member of.
	RoomsOf(ctx context.Context, user UserID) ([]RoomID, error)
	// Join calls decide with the present state and applies its plan, both in one transaction. An
	// error of decide changes nothing and is returned as it is. decide may run more than once.
	Join(ctx context.Context, room RoomID, user UserID, decide func(JoinState) (JoinPlan, error)) (JoinResult, error)
	// Leave removes a membership and tells whether it has. Of an admin, and in a direct room, it leaves it
	// alone: that takes a decision.
	Leave(ctx context.Context, room RoomID, user UserID) (left bool, err error)
}

// JoinState is what a decision to let somebody in rests on.
type JoinState struct {
	Room   *Room   // nil: there is no such room
	Member *Member // nil: not a member yet
	Rooms  int     // how many rooms the user is in, direct ones aside
	// Of one who is no member yet; nil: there is none.
	Ban        *Ban
	Invitation *Invitation
	Mute       *Mute
}

// JoinPlan is the decision.
type JoinPlan struct {
	Create *Room // the room to create first, or nil
	Member Member
	With   []Member // who are its members as well, if it is created
}

// JoinResult is what came of it. Member.JoinSeq is the room's head for a new membership and stays
// what it was for an older one.
type JoinResult struct {
	Room   Room
	Member Member
	Fresh  bool // the membership is new
	// Opening and Session are set by Rooms.Join, see JoinRequest.
	Opening bool
	Session SessionID
}

// RoomRules are the node's settings for rooms.
type RoomRules struct {
	AutoCreate bool // joining an unknown room creates it
	MaxPerUser int  // rooms a user may be in, direct ones aside; 0: no limit
	Defaults   RoomConfig
}

// Rooms is who is in which room. Safe for concurrent use.
type Rooms struct {
	rooms    RoomRepo
	members  MemberRepo
	log      MessageLog
	live     Deliverer
	presence Presence
	rules    atomic.Pointer[RoomRules]

	authorizer Authorizer // nil: none
}

// NewRooms returns the use cases of rooms and members. If presence is Attendance as well, it tells how many are there.
func NewRooms(rooms RoomRepo, members MemberRepo, log MessageLog, live Deliverer, presence Presence, rules RoomRules) *Rooms {
	r := &Rooms{rooms: rooms, members: members, log: log, live: live, presence: presence}
	r.SetRules(rules)
	return r
}

// SetRules replaces the rules, for what is asked from then on.
func (r *Rooms) SetRules(rules RoomRules) { r.rules.Store(&rules) }

// JoinRequest asks for a membership.
type JoinRequest struct {
	Room     RoomID
	User     UserID // empty: the caller's own
	Nickname string
	Role     string // as the client wrote it
	// Opening tells that a stream opens with this room. It follows the room by itself, and the
	// user's other sessions, each opened for what it wanted, are not concerned.
	Opening bool
	// Session is the one that asks, if it follows the room by itself; the user's others are told.
	Session SessionID
}

// RoomView is a room as its members see it.
type RoomView struct {
	Room    Room
	Members []Member // at most MaxListedMembers
	Online  []UserID // those of Members who are online
	There   int      // how many members follow the room now, whether they are in Members or not
}

// Join makes the user a member, creating the room where that is allowed. Joining again updates
// the nickname and is no error. The first member of a room is its admin; apart from that nobody
// gets another role than he has, unless a service asks for him: clients join again with every connection,
// in the words of the first time, and what he has become since is not theirs to take back.
func (r *Rooms) Join(ctx context.Context, by Identity, req JoinRequest) (JoinResult, error) {
	user, err := by.ActAs(req.User)
	if err != nil {
		return JoinResult{}, err
	}
	wanted, err := ParseRole(req.Role)
	if err != nil {
		return JoinResult{}, err
	}
	if err := checkID("room_id", string(req.Room)); err != nil {
		return JoinResult{}, err
	}
	if err := checkOptionalID("nickname", req.Nickname); err != nil {
		return JoinResult{}, err
	}
	res, err := r.join(ctx, by, req.Room, user, func(s JoinState) (JoinPlan, error) {
		return r.decideJoin(s, by, user, wanted, req)
	})
	if err != nil {
		return JoinResult{}, err
	}
	res.Opening, res.Session = req.Opening, req.Session
	r.live.Joined(res)
	return res, nil
}

func (r *Rooms) decideJoin(s JoinState, by Identity, user UserID, wanted Role, req JoinRequest) (JoinPlan, error) {
	now, rules := time.Now(), r.rules.Load()
	plan := JoinPlan{Member: Member{Room: req.Room, User: user, Nickname: req.Nickname, Role: RoleUser, JoinedAt: now}}
	service := slices.Contains(by.Roles, RoleService)
	switch {
	case s.Member != nil:
		plan.Member = *s.Member
		if req.Nickname != "" {
			plan.Member.Nickname = req.Nickname
		}
		if req.Role == "" || !service {
			return plan, nil
		}
	case s.Room == nil && isDirect(req.Room):
		return JoinPlan{}, errDirectID(req.Room)
	case s.Room == nil && !rules.AutoCreate:
		return JoinPlan{}, ErrRoomNotFound(req.Room)
	case s.Room != nil && s.Room.Kind == KindDirect:
		return JoinPlan{}, errDirect(req.Room, "joins it")
	case rules.MaxPerUser > 0 && s.Rooms >= rules.MaxPerUser:
		return JoinPlan{}, errTooManyRooms(user, s.Rooms, rules.MaxPerUser)
	case s.Room == nil:
		plan.Create = &Room{ID: req.Room, Name: string(req.Room), Config: rules.Defaults, CreatedAt: now, LastActive: now}
		plan.Member.Role = RoleAdmin
		return plan, nil
	case s.Room.Config.MaxUsers > 0 && s.Room.Members >= s.Room.Config.MaxUsers:
		return JoinPlan{}, Errorf(KindResourceLimit, "ROOM_FULL", "room %q has %d members; at most %d are allowed", req.Room, s.Room.Members, s.Room.Config.MaxUsers)
	default:
		if err := mayEnter(s, by, user); err != nil {
			return JoinPlan{}, err
		}
	}
	if service {
		plan.Member.Role = wanted
	}
	s.Mute.holds(&plan.Member)
	return plan, nil
}

// Info describes a room to one of its members, to a service, or to a trusted caller who speaks
// for nobody.
func (r *Rooms) Info(ctx context.Context, by Identity, room RoomID, named UserID) (RoomView, error) {
	if err := checkID("room_id", string(room)); err != nil {
		return RoomView{}, err
	}
	who, err := readerOf(by, named)
	if err != nil {
		return RoomView{}, err
	}
	if err := who.mayRead(ctx, r.rooms, r.members, room); err != nil {
		return RoomView{}, err
	}
	return r.View(ctx, room)
}

// View returns a room with its members, without asking who wants to know.
func (r *Rooms) View(ctx context.Context, room RoomID) (RoomView, error) {
	info, err := r.rooms.Room(ctx, room)
	if err != nil {
		return RoomView{}, err
	}
	members, err := r.members.Members(ctx, room, MaxListedMembers)
	if err != nil {
		return RoomView{}, err
	}
	users := make([]UserID, len(members))
	for i, m := range members {
		users[i] = m.User
	}
	view := RoomView{Room: info, Members: members, Online: r.presence.Online(ctx, users)}
	view.There = len(view.Online)
	if there, ok := r.presence.(Attendance); ok {
		users, _ := there.Attending(ctx, room) // of the nodes that answer
		view.There = users[0]
	}
	return view, nil
}

func errTooManyRooms(user UserID, rooms, most int) error {
	return Errorf(KindResourceLimit, "TOO_MANY_ROOMS", "user %q is in %d rooms, direct ones aside; at most %d are allowed", user, rooms, most)
}

// explainNoMember turns "no such membership" into what the caller can act on: an unknown room, or
// a room that he is not in.
func explainNoMember(ctx context.Context, rooms RoomRepo, room RoomID, user UserID, err error) error {
	if KindOf(err) != KindNotFound {
		return err
	}
	if _, err := rooms.Room(ctx, room); err != nil {
		return err
	}
	return errNotIn(room, user)
}

func errNotIn(room RoomID, user UserID) *Error {
	return Errorf(KindPermissionDenied, "NOT_A_MEMBER", "user %q is not a member of room %q; join it first", user, room)
}

// ErrRoomNotFound is what repositories answer for a room that does not exist.
func ErrRoomNotFound(room RoomID) *Error {
	return Errorf(KindNotFound, "ROOM_NOT_FOUND", "room %q does not exist", room)
}

// ErrNotAMember is what repositories answer for a membership that does not exist.
func ErrNotAMember(room RoomID, user UserID) *Error {
	return Errorf(KindNotFound, "NOT_A_MEMBER", "user %q is not a member of room %q", user, room)
}
