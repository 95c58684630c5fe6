package biz_test

import (
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// TestPolicyRoleByAction goes through what each role may do, to whom, in both kinds of rooms. It is written out
// so that a change of the policy has to be meant twice.
func TestPolicyRoleByAction(t *testing.T) {
	t.Parallel()
	const user, moderator, admin = biz.RoleUser, biz.RoleModerator, biz.RoleAdmin
	roles := []biz.Role{user, moderator, admin}
	for _, tt := range []struct {
		do     biz.Action
		least  biz.Role
		above  bool // only of lower roles, unless an admin does it
		direct bool
		own    bool // also a moderator to himself
	}{
		{biz.ActSend, user, false, true, true},
		{biz.ActMentionAll, moderator, false, false, true},
		{biz.ActReact, user, false, true, true},
		{biz.ActEditOwn, user, false, true, true},
		{biz.ActRecallOwn, user, false, true, true},
		{biz.ActRecallOther, moderator, true, false, true},
		{biz.ActInvite, user, false, false, true},
		{biz.ActKick, moderator, true, false, true},
		{biz.ActMute, moderator, true, false, false},
		{biz.ActBan, moderator, true, false, true},
		{biz.ActSetRole, admin, true, false, true},
		{biz.ActUpdateRoom, admin, false, false, true},
		{biz.ActDeleteRoom, admin, false, false, true},
	} {
		for _, kind := range []biz.RoomKind{biz.KindGroup, biz.KindDirect} {
			room := &biz.Room{ID: "lobby", Kind: kind}
			fits := kind == biz.KindGroup || tt.direct
			check := func(who string, a biz.Actor, member, to *biz.Member, want bool) {
				t.Helper()
				if err := biz.May(a, tt.do, room, member, to); (err == nil) != want {
					t.Errorf("%s: %s in a room of kind %d: %v", who, tt.do, kind, err)
				} else if err != nil && biz.KindOf(err) != biz.KindPermissionDenied {
					t.Errorf("%s: %s: %v is of another kind", who, tt.do, err)
				}
			}
			check("stranger", biz.Actor{User: "eve"}, nil, nil, false)
			check("service", biz.Actor{Service: true}, nil, &biz.Member{User: "bob", Role: admin}, fits)
			for _, mine := range roles {
				me := &biz.Member{User: "alice", Role: mine}
				a := biz.Actor{User: "alice"}
				check(mine.String(), a, me, nil, fits && mine >= tt.least)
				check(mine.String()+" to himself", a, me, me, fits && mine >= tt.least && (tt.own || mine == admin))
				for _, his := range roles {
					may := fits && mine >= tt.least && (!tt.above || mine > his || mine == admin)
					check(mine.String()+" to "+his.String(), a, me, &biz.Member{User: "bob", Role: his}, may)
				}
			}
		}
	}
}
