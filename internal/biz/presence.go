package biz

import (
	"cmp"
	"context"
	"slices"
	"time"
)

const (
	// MaxPresenceUsers bounds the users that one request for presence names.
	MaxPresenceUsers = 1000
	// MaxPresenceRooms bounds the rooms.
	MaxPresenceRooms = 100
)

// PresenceState is whether a user is there; the numbers are those of im.v1.
type PresenceState int32

// The states.
const (
	PresenceUnknown PresenceState = 0 // who asks may not know
	PresenceOnline  PresenceState = 1
	PresenceAway    PresenceState = 2 // all of his sessions say that he does not look
	PresenceOffline PresenceState = 3
)

// UserPresence is whether a user is there.
type UserPresence struct {
	User     UserID
	State    PresenceState
	LastSeen time.Time // when he was last there; zero: he is, or it is not known
}

// Whereabouts tells who is there, on any node.
type Whereabouts interface {
	// States returns where each of the users is, in their order: PresenceOnline, PresenceAway or
	// PresenceOffline. It may be a second old, and waits a second or two at most; who is on a node that does not
	// answer is offline.
	States(ctx context.Context, users []UserID) []PresenceState
}

// AcquaintanceRepo tells who may know of whom, and when somebody was last there. It sees what other nodes have
// committed.
type AcquaintanceRepo interface {
	// Acquainted returns those of users, MaxPresenceUsers at most, who share a room with the user, in their order.
	Acquainted(ctx context.Context, user UserID, users []UserID) ([]UserID, error)
	// LastSeen returns when each of the users was last seen to be there. One that never was is absent.
	LastSeen(ctx context.Context, users []UserID) (map[UserID]time.Time, error)
}

// PresenceRules are the node's settings for presence.
type PresenceRules struct {
	// MaxNamed is the number of members up to which they are named to whoever watches a room; above, he gets
	// counts.
	MaxNamed int
}

// Presences is who may know whether somebody is there. Safe for concurrent use.
type Presences struct {
	live    Whereabouts
	repo    AcquaintanceRepo
	rooms   RoomRepo
	members MemberRepo
	rules   PresenceRules
}

// NewPresences returns the use cases of presence.
func NewPresences(live Whereabouts, repo AcquaintanceRepo, rooms RoomRepo, members MemberRepo, rules PresenceRules) *Presences {
	return &Presences{live: live, repo: repo, rooms: rooms, members: members, rules: rules}
}

// Of tells where users are with whom the caller shares a room; of others he learns nothing. A service that
// speaks for nobody learns of everybody.
func (p *Presences) Of(ctx context.Context, by Identity, named UserID, users []UserID) ([]UserPresence, error) {
	who, err := readerOf(by, named)
	if err != nil {
		return nil, err
	}
	if users, err = checkUsers(users); err != nil {
		return nil, err
	}
	known := users
	if who.user != "" {
		if known, err = p.repo.Acquainted(ctx, who.user, users); err != nil {
			return nil, err
		}
	}
	found, err := p.Now(ctx, known)
	if err != nil {
		return nil, err
	}
	all := make([]UserPresence, len(users))
	for i, user := range users {
		all[i] = UserPresence{User: user}
		if k, ok := slices.BinarySearchFunc(found, user, func(f UserPresence, u UserID) int { return cmp.Compare(f.User, u) }); ok {
			all[i] = found[k]
		}
	}
	return all, nil
}

// Now tells where users are, without asking who wants to know. It returns them in the order of their ids.
func (p *Presences) Now(ctx context.Context, users []UserID) ([]UserPresence, error) {
	users = slices.Clone(users)
	slices.Sort(users)
	states := p.live.States(ctx, users)
	found := make([]UserPresence, len(users))
	var gone []UserID
	for i, user := range users {
		found[i] = UserPresence{User: user, State: states[i]}
		if states[i] == PresenceOffline {
			gone = append(gone, user)
		}
	}
	seen, err := p.Seen(ctx, gone)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].State == PresenceOffline {
			found[i].LastSeen = seen[found[i].User]
		}
	}
	return found, nil
}

// Seen returns when users were last there, without asking who wants to know.
func (p *Presences) Seen(ctx context.Context, users []UserID) (map[UserID]time.Time, error) {
	if len(users) == 0 {
		return nil, nil //nolint:nilnil // nobody was asked for
	}
	return p.repo.LastSeen(ctx, users)
}

// checkUsers returns the users without repetitions, in their order.
func checkUsers(users []UserID) ([]UserID, error) {
	if len(users) > MaxPresenceUsers {
		return nil, Errorf(KindInvalid, "INVALID_ARGUMENT", "%d users are named; at most %d are allowed", len(users), MaxPresenceUsers)
	}
	once := make(map[UserID]struct{}, len(users))
	kept := make([]UserID, 0, len(users))
	for _, user := range users {
		if err := checkID("user_id", string(user)); err != nil {
			return nil, err
		}
		if _, again := once[user]; !again {
			once[user] = struct{}{}
			kept = append(kept, user)
		}
	}
	return kept, nil
}

// Watching is whom a user wants to hear of.
type Watching struct {
	Users []UserID
	Rooms []RoomID
}

// Watched is of whom he may hear.
type Watched struct {
	Users  []UserID // each once
	Counts []RoomID // rooms with too many members to name them
}

// Check tells what is wrong with what a client wants.
func (w *Watching) Check() error {
	if len(w.Rooms) > MaxPresenceRooms {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "%d rooms are named; at most %d are allowed", len(w.Rooms), MaxPresenceRooms)
	}
	for _, room := range w.Rooms {
		if err := checkID("room_id", string(room)); err != nil {
			return err
		}
	}
	var err error
	w.Users, err = checkUsers(w.Users)
	return err
}

// Watch finds out of whom a user may hear: of users with whom he shares a room, and of the members of rooms that
// he is in. What he may not hear of is left out.
func (p *Presences) Watch(ctx context.Context, user UserID, w Watching) (Watched, error) {
	var (
		found Watched
		err   error
	)
	if len(w.Users) > 0 {
		if found.Users, err = p.repo.Acquainted(ctx, user, w.Users); err != nil {
			return Watched{}, err
		}
	}
	in, err := p.rooms.Memberships(ctx, user, w.Rooms)
	if err != nil {
		return Watched{}, err
	}
	for _, m := range in {
		if m.Room.Members > p.rules.MaxNamed {
			found.Counts = append(found.Counts, m.Room.ID)
			continue
		}
		members, err := p.members.Members(ctx, m.Room.ID, p.rules.MaxNamed)
		if err != nil {
			return Watched{}, err
		}
		for _, other := range members {
			if other.User != user {
				found.Users = append(found.Users, other.User)
			}
		}
	}
	slices.Sort(found.Users)
	found.Users = slices.Compact(found.Users)
	slices.Sort(found.Counts)
	found.Counts = slices.Compact(found.Counts)
	return found, nil
}
