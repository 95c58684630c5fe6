package biz

import "slices"

// mayEnter tells whether one who is no member may become one.
func mayEnter(s JoinState, by Identity, user UserID) error {
	room := s.Room
	switch {
	case s.Ban != nil && s.Ban.Until.IsZero():
		return Errorf(KindPermissionDenied, "BANNED", "user %q is banned from room %q", user, room.ID)
	case s.Ban != nil:
		return Errorf(KindPermissionDenied, "BANNED", "user %q is banned from room %q until %s", user, room.ID, s.Ban.Until.Format("2006-01-02T15:04:05Z07:00"))
	case !room.Config.InviteOnly, s.Invitation != nil, slices.Contains(by.Roles, RoleService):
		return nil
	}
	return Errorf(KindPermissionDenied, "INVITE_ONLY", "room %q is for the invited only; a member can invite user %q", room.ID, user)
}
