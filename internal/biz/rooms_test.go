package biz_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

var openRules = biz.RoomRules{AutoCreate: true, MaxPerUser: 100, Defaults: biz.DefaultRoomConfig()}

func newRooms(s *store, l *live, rules biz.RoomRules) *biz.Rooms {
	s.live = l
	return biz.NewRooms(s, s, s, l, l, rules)
}

func TestJoinNewRoom(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	rules := openRules
	rules.Defaults = biz.RoomConfig{MaxUsers: 7, AllowAudio: true}
	rooms := newRooms(s, l, rules)

	// Even somebody who asks for less administers the room that he made.
	res, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: "r", Nickname: "Al", Role: "user"})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Fresh || res.Member.Role != biz.RoleAdmin || res.Member.Nickname != "Al" || res.Member.User != "alice" {
		t.Errorf("the first member: %+v", res)
	}
	if res.Room.Config != rules.Defaults || res.Room.Name != "r" || res.Room.CreatedAt.IsZero() || res.Member.JoinedAt.IsZero() {
		t.Errorf("the room: %+v", res.Room)
	}
	second, err := rooms.Join(t.Context(), bob, biz.JoinRequest{Room: "r"})
	if err != nil || second.Member.Role != biz.RoleUser || second.Room.Members != 2 {
		t.Errorf("the second member: %+v, %v", second, err)
	}
	if len(l.joined) != 2 || l.joined[0].Member.User != "alice" || !l.joined[1].Fresh {
		t.Errorf("told of %+v", l.joined)
	}
}

func TestJoinUnknownRoomWithoutAutoCreate(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	s.put(durable("known"))
	rooms := newRooms(s, l, biz.RoomRules{MaxPerUser: 10})
	for _, by := range []biz.Identity{alice, devAlice, backend} {
		_, err := rooms.Join(t.Context(), by, biz.JoinRequest{Room: "unknown"})
		wantError(t, err, biz.KindNotFound, "ROOM_NOT_FOUND")
		if _, err := rooms.Join(t.Context(), by, biz.JoinRequest{Room: "known"}); err != nil {
			t.Errorf("a known room: %v", err)
		}
	}
	fresh := slices.DeleteFunc(slices.Clone(l.joined), func(j biz.JoinResult) bool { return !j.Fresh })
	if len(l.joined) != 3 || len(fresh) != 2 {
		t.Errorf("told of %d joins, %d of them new; want 3 and 2", len(l.joined), len(fresh))
	}
}

func TestJoinRole(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		by     biz.Identity
		user   biz.UserID
		wanted string
		want   biz.Role
		reason string
	}{
		{"newcomer asks for nothing", bob, "", "", biz.RoleUser, ""},
		{"newcomer asks for admin", bob, "", "admin", biz.RoleUser, ""},
		{"newcomer asks for moderator", bob, "", "MODERATOR", biz.RoleUser, ""},
		{"trusted newcomer asks for admin", biz.Identity{User: "bob", Trusted: true}, "", "admin", biz.RoleUser, ""},
		{"service brings an admin", backend, "bob", "USER_ROLE_ADMIN", biz.RoleAdmin, ""},
		{"service brings a moderator", backend, "bob", " 2 ", biz.RoleModerator, ""},
		{"service brings a user", backend, "bob", "", biz.RoleUser, ""},
		{"admin comes again", alice, "", "", biz.RoleAdmin, ""},
		{"admin asks for admin again", alice, "", "3", biz.RoleAdmin, ""},
		{"admin asks for less", alice, "", "user", biz.RoleAdmin, ""},
		{"member asks for more", biz.Identity{User: "carol"}, "", "admin", biz.RoleUser, ""},
		{"service raises a member", backend, "carol", "admin", biz.RoleAdmin, ""},
		{"service lowers a member", backend, "alice", "user", biz.RoleUser, ""},
		{"service names a member without a role", backend, "alice", "", biz.RoleAdmin, ""},
		{"unknown role", bob, "", "owner", 0, "INVALID_ARGUMENT"},
		{"role 0", bob, "", "0", 0, "INVALID_ARGUMENT"},
		{"role 4", bob, "", "4", 0, "INVALID_ARGUMENT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			s.put(durable("r"), "alice", "carol")
			res, err := newRooms(s, &live{}, openRules).Join(t.Context(), test.by, biz.JoinRequest{Room: "r", User: test.user, Role: test.wanted})
			wantError(t, err, biz.KindInvalid, test.reason)
			if err == nil && res.Member.Role != test.want {
				t.Errorf("role %v, want %v", res.Member.Role, test.want)
			}
		})
	}
}

func TestJoinAgain(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	room := durable("r")
	room.Config.MaxUsers = 1 // full, which is nothing to somebody who is inside
	s.put(room, "alice")
	s.members["r"][0].Nickname, s.members["r"][0].JoinSeq, s.members["r"][0].Muted = "old", 5, true
	rooms := newRooms(s, l, biz.RoomRules{MaxPerUser: 1})
	for _, test := range []struct{ nickname, want string }{{"", "old"}, {"new", "new"}} {
		res, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: "r", Nickname: test.nickname})
		if err != nil {
			t.Fatal(err)
		}
		m := res.Member
		if res.Fresh || m.Nickname != test.want || m.Role != biz.RoleAdmin || m.JoinSeq != 5 || !m.Muted {
			t.Errorf("joined again as %q: fresh %v, %+v", test.nickname, res.Fresh, m)
		}
	}
	if len(l.joined) != 2 {
		t.Errorf("sessions were told %d times, want 2", len(l.joined))
	}
}

// TestARoomKeepsItsAdminWhenHeConnectsAgain: the client that made the room joins it again as it did the first time,
// and so does one that was made a moderator since.
func TestARoomKeepsItsAdminWhenHeConnectsAgain(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	rooms := newRooms(s, l, openRules)
	admin := biz.NewRoomAdmin(rooms, nil, nil, nil)
	for range 2 {
		for _, user := range []biz.Identity{alice, bob} {
			if _, err := rooms.Join(t.Context(), user, biz.JoinRequest{Room: "r", Role: "user"}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := admin.SetRole(t.Context(), alice, biz.OfMember{Room: "r", Member: "bob"}, biz.RoleModerator); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []biz.Identity{alice, bob} {
		res, err := rooms.Join(t.Context(), user, biz.JoinRequest{Room: "r", Role: "user"})
		if want := map[biz.UserID]biz.Role{"alice": biz.RoleAdmin, "bob": biz.RoleModerator}[user.User]; err != nil || res.Member.Role != want {
			t.Errorf("%s is %v, want %v: %v", user.User, res.Member.Role, want, err)
		}
	}
}

func TestJoinLimits(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	full := durable("full")
	full.Config.MaxUsers = 2
	s.put(full, "carol", "dave")
	roomy := durable("roomy")
	roomy.Config.MaxUsers = 2
	s.put(roomy, "carol")
	rules := openRules
	rules.MaxPerUser = 3
	rooms := newRooms(s, l, rules)

	for _, by := range []biz.Identity{alice, backend} {
		_, err := rooms.Join(t.Context(), by, biz.JoinRequest{Room: "full", User: "alice"})
		wantError(t, err, biz.KindResourceLimit, "ROOM_FULL")
	}
	for _, room := range []biz.RoomID{"roomy", "own-1", "own-2"} {
		if _, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: room}); err != nil {
			t.Fatalf("%s: %v", room, err)
		}
	}
	for _, room := range []biz.RoomID{"own-3", "full"} {
		_, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: room})
		wantError(t, err, biz.KindResourceLimit, "TOO_MANY_ROOMS")
	}
	if err := rooms.Leave(t.Context(), alice, "own-1", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: "own-3"}); err != nil {
		t.Errorf("after leaving one: %v", err)
	}
	if len(l.joined) != 4 {
		t.Errorf("%d joins were told, want the 4 that succeeded", len(l.joined))
	}
}

func TestNoLimitOfRooms(t *testing.T) {
	t.Parallel()
	rooms := newRooms(newStore(), &live{}, biz.RoomRules{AutoCreate: true})
	for i := range 50 {
		if _, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: biz.RoomID(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJoinForAnother(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	_, err := newRooms(s, l, openRules).Join(t.Context(), alice, biz.JoinRequest{Room: "r", User: "bob"})
	wantError(t, err, biz.KindPermissionDenied, "FOREIGN_USER")
	if len(s.rooms) != 0 || len(l.joined) != 0 {
		t.Error("a refused join left something behind")
	}
}

func TestLeave(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	s.put(durable("r"), "alice", "bob")
	rooms := newRooms(s, l, openRules)
	for range 2 { // the second time there is nothing to leave, and nobody to tell
		if err := rooms.Leave(t.Context(), alice, "r", ""); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.left) != 1 || l.left[0] != (biz.Member{Room: "r", User: "alice"}) {
		t.Errorf("told of %+v", l.left)
	}
	wantError(t, rooms.Leave(t.Context(), alice, "r", "bob"), biz.KindPermissionDenied, "FOREIGN_USER")
	wantError(t, rooms.Leave(t.Context(), nobody, "r", ""), biz.KindInvalid, "INVALID_ARGUMENT")
	wantError(t, rooms.Leave(t.Context(), backend, "r", "bob"), 0, "")
	wantError(t, rooms.Leave(t.Context(), alice, "unknown", ""), 0, "")
	s.err = errors.New("disk")
	wantError(t, rooms.Leave(t.Context(), alice, "r", ""), biz.KindInternal, "INTERNAL")
	if len(l.left) != 2 {
		t.Errorf("told of %+v", l.left)
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		by     biz.Identity
		room   biz.RoomID
		named  biz.UserID
		kind   biz.Kind
		reason string
	}{
		{"member", alice, "r", "", 0, ""},
		{"member by name", alice, "r", "alice", 0, ""},
		{"stranger", bob, "r", "", biz.KindPermissionDenied, "NOT_A_MEMBER"},
		{"stranger, unknown room", bob, "x", "", biz.KindNotFound, "ROOM_NOT_FOUND"},
		{"member in another's name", alice, "r", "carol", biz.KindPermissionDenied, "FOREIGN_USER"},
		{"nobody", nobody, "r", "", biz.KindUnauthenticated, "UNAUTHENTICATED"},
		{"nobody in a name", nobody, "r", "alice", biz.KindPermissionDenied, "FOREIGN_USER"},
		{"trusted, for nobody", devEmpty, "r", "", 0, ""},
		{"trusted, for a member", devEmpty, "r", "alice", 0, ""},
		{"trusted, for a stranger", devEmpty, "r", "bob", biz.KindPermissionDenied, "NOT_A_MEMBER"},
		{"service", backend, "r", "", 0, ""},
		{"service, for a stranger", backend, "r", "bob", 0, ""},
		{"service without a user", biz.Identity{Roles: []string{biz.RoleService}}, "r", "", 0, ""},
		{"service, unknown room", backend, "x", "", biz.KindNotFound, "ROOM_NOT_FOUND"},
		{"no room named", alice, "", "", biz.KindInvalid, "INVALID_ARGUMENT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			s.put(durable("r"), "alice", "carol")
			l := &live{online: []biz.UserID{"bob", "carol"}}
			view, err := newRooms(s, l, openRules).Info(t.Context(), test.by, test.room, test.named)
			wantError(t, err, test.kind, test.reason)
			if err == nil && (view.Room.ID != "r" || len(view.Members) != 2 || !slices.Equal(view.Online, []biz.UserID{"carol"})) {
				t.Errorf("%+v", view)
			}
		})
	}
}

func TestViewIsBounded(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.put(durable("r"), numbered(biz.MaxListedMembers+5)...)
	view, err := newRooms(s, &live{}, openRules).View(t.Context(), "r")
	if err != nil || len(view.Members) != biz.MaxListedMembers || view.Room.Members != biz.MaxListedMembers+5 {
		t.Errorf("%d of %d members, %v", len(view.Members), view.Room.Members, err)
	}
}

func numbered(n int) (users []biz.UserID) {
	for i := range n {
		users = append(users, biz.UserID(fmt.Sprint("user-", i)))
	}
	return users
}

// TestAStoreThatFailsIsNotAMissingMember: a fault of the store must not read as "join first".
func TestAStoreThatFailsIsNotAMissingMember(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.put(durable("r"), "alice")
	s.err = biz.Errorf(biz.KindUnavailable, "STORE_UNAVAILABLE", "no")
	rooms := newRooms(s, &live{}, openRules)
	_, err := rooms.Info(t.Context(), alice, "r", "")
	wantError(t, err, biz.KindUnavailable, "STORE_UNAVAILABLE")
	_, err = rooms.Join(t.Context(), alice, biz.JoinRequest{Room: "r"})
	wantError(t, err, biz.KindUnavailable, "STORE_UNAVAILABLE")
}

func TestRoleNames(t *testing.T) {
	t.Parallel()
	for _, role := range []biz.Role{biz.RoleUser, biz.RoleModerator, biz.RoleAdmin} {
		if got, err := biz.ParseRole(role.String()); got != role || err != nil {
			t.Errorf("%v reads back as %v, %v", role, got, err)
		}
	}
}
