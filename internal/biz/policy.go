package biz

import "slices"

// Action is something that members of a room may or may not do.
type Action int8

// The actions. Those that end with Other concern what somebody else has said.
const (
	ActSend Action = iota
	ActMentionAll
	ActReact
	ActEditOwn
	ActRecallOwn
	ActRecallOther
	ActInvite
	ActKick
	ActMute
	ActBan
	ActSetRole
	ActUpdateRoom
	ActDeleteRoom
	actions // how many there are
)

// policy is who may do what, and the only place that says so; docs/rooms.md shows it. A test goes through all of
// it.
var policy = [actions]struct {
	least  Role // from this role on
	member bool // it concerns a member, who has to be of a lower role, unless an admin does it
	own    bool // or oneself, whatever one's role
	direct bool // also in a direct room, where both are users
}{
	ActSend:        {least: RoleUser, direct: true},
	ActMentionAll:  {least: RoleModerator},
	ActReact:       {least: RoleUser, direct: true},
	ActEditOwn:     {least: RoleUser, direct: true},
	ActRecallOwn:   {least: RoleUser, direct: true},
	ActRecallOther: {least: RoleModerator, member: true, own: true},
	ActInvite:      {least: RoleUser},
	ActKick:        {least: RoleModerator, member: true, own: true}, // which is refused with a better reason
	ActMute:        {least: RoleModerator, member: true},            // a moderator whom an admin has muted stays so
	ActBan:         {least: RoleModerator, member: true, own: true},
	ActSetRole:     {least: RoleAdmin, member: true},
	ActUpdateRoom:  {least: RoleAdmin},
	ActDeleteRoom:  {least: RoleAdmin},
}

// Actor is who wants to do something in a room.
type Actor struct {
	User    UserID // empty: a service that speaks for nobody
	Service bool   // it has an admin's rights everywhere, and need not be a member
}

// ActorOf returns who a request comes from. Services may speak for nobody; anybody else is a user.
func ActorOf(by Identity, named UserID) (Actor, error) {
	service := slices.Contains(by.Roles, RoleService)
	if named == "" && by.User == "" && (service || by.Trusted) {
		return Actor{Service: true}, nil
	}
	user, err := by.ActAs(named)
	return Actor{User: user, Service: service}, err
}

// May tells whether somebody may do something in a room, in which he is this member, or none if that is nil, to
// that member, who is nil where it concerns nobody or nobody who is there.
func May(a Actor, do Action, room *Room, member, to *Member) error {
	rule := policy[do]
	switch {
	case room.Kind == KindDirect && !rule.direct:
		return Errorf(KindPermissionDenied, "DIRECT_ROOM", "room %q is the direct room of two users, where nobody may %s", room.ID, do)
	case a.Service:
		return nil
	case member == nil:
		return errNotIn(room.ID, a.User)
	case member.Role < rule.least:
		return Errorf(KindPermissionDenied, "ROLE_TOO_LOW", "a %s may not %s in room %q; a %s may", member.Role, do, room.ID, rule.least)
	case rule.member && to != nil && (to.User != a.User || !rule.own) && to.Role >= member.Role && member.Role < RoleAdmin:
		return Errorf(KindPermissionDenied, "ROLE_TOO_LOW", "a %s may not %s a %s in room %q", member.Role, do, to.Role, room.ID)
	}
	return nil
}

// String returns the action as an error says it.
func (a Action) String() string {
	if a < 0 || a >= actions {
		return "do that"
	}
	return [actions]string{
		"send", "mention everybody", "react", "edit messages", "recall messages", "recall messages of others",
		"invite", "kick", "mute", "ban", "change the role of", "change the room", "delete the room",
	}[a]
}
