package biz

import (
	"strings"
	"time"
)

// Role is a member's rank in a room.
type Role int8

// The roles, in rising order; the numbers are those of im.v1.
const (
	RoleUser      Role = 1
	RoleModerator Role = 2
	RoleAdmin     Role = 3
)

// ParseRole reads a role as clients write it, in any case. Empty is RoleUser.
func ParseRole(s string) (Role, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "user", "user_role_user", "1":
		return RoleUser, nil
	case "moderator", "user_role_moderator", "2":
		return RoleModerator, nil
	case "admin", "user_role_admin", "3":
		return RoleAdmin, nil
	}
	return 0, Errorf(KindInvalid, "INVALID_ARGUMENT", "role %s is unknown; user, moderator and admin are allowed", quote(s))
}

// Member is a user's durable place in a room.
type Member struct {
	Room     RoomID
	User     UserID
	Nickname string
	Role     Role
	Muted    bool
	// MutedUntil is when Muted ends; zero: when he is unmuted.
	MutedUntil time.Time
	JoinSeq    int64 // the room's head when he joined: he sees what came after
	JoinedAt   time.Time
}

// MutedAt tells whether the member may not speak at a moment.
func (m *Member) MutedAt(now time.Time) bool {
	return m.Muted && (m.MutedUntil.IsZero() || now.Before(m.MutedUntil))
}

// String returns the role as clients write it.
func (r Role) String() string {
	switch r {
	case RoleModerator:
		return "moderator"
	case RoleAdmin:
		return "admin"
	}
	return "user"
}
