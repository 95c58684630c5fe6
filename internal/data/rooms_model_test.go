package data

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/biz"
)

// hallModel is what is promised of a room, written down plainly.
type hallModel struct {
	exists  bool
	head    int64 // for ever rising
	floor   int64
	members []biz.Member // in the order in which they joined
	banned  map[biz.UserID]bool
	invited map[biz.UserID]bool
	muted   map[biz.UserID]bool // of those who have gone
	config  biz.RoomConfig
}

func (m *hallModel) find(user biz.UserID) *biz.Member {
	for i := range m.members {
		if m.members[i].User == user {
			return &m.members[i]
		}
	}
	return nil
}

func (m *hallModel) admin() biz.UserID {
	for _, o := range m.members {
		if o.Role == biz.RoleAdmin {
			return o.User
		}
	}
	return ""
}

func (m *hallModel) remove(user biz.UserID) {
	if who := m.find(user); who != nil && who.Muted {
		m.muted[user] = true
	}
	m.members = slices.DeleteFunc(m.members, func(o biz.Member) bool { return o.User == user })
}

func (m *hallModel) create(user biz.UserID) string {
	if m.exists {
		return "ROOM_EXISTS"
	}
	m.exists, m.config, m.floor = true, biz.DefaultRoomConfig(), m.head
	m.banned, m.invited, m.muted = map[biz.UserID]bool{}, map[biz.UserID]bool{}, map[biz.UserID]bool{}
	m.members = []biz.Member{{User: user, Role: biz.RoleAdmin, JoinSeq: m.head}}
	return ""
}

func (m *hallModel) join(user biz.UserID) string {
	switch {
	case !m.exists:
		return m.create(user)
	case m.find(user) != nil:
		return ""
	case m.config.MaxUsers > 0 && len(m.members) >= m.config.MaxUsers:
		return "ROOM_FULL"
	case m.banned[user]:
		return "BANNED"
	case m.config.InviteOnly && !m.invited[user]:
		return "INVITE_ONLY"
	}
	delete(m.invited, user)
	m.members = append(m.members, biz.Member{User: user, Role: biz.RoleUser, JoinSeq: m.head, Muted: m.muted[user]})
	delete(m.muted, user)
	return ""
}

func (m *hallModel) leave(user biz.UserID) string {
	who := m.find(user)
	if !m.exists || who == nil {
		return ""
	}
	last := who.Role == biz.RoleAdmin
	m.remove(user)
	var heir *biz.Member
	for i := range m.members {
		if o := &m.members[i]; heir == nil || o.Role > heir.Role {
			heir = o
		}
	}
	if last && heir != nil && heir.Role < biz.RoleAdmin {
		heir.Role = biz.RoleAdmin
		m.head++
	}
	return ""
}

// above tells why somebody, empty for a service, may not do what takes a role, to that member.
func (m *hallModel) above(by biz.UserID, least biz.Role, to *biz.Member) string {
	who := m.find(by)
	switch {
	case !m.exists:
		return "ROOM_NOT_FOUND"
	case by == "":
		return ""
	case who == nil:
		return "NOT_A_MEMBER"
	case who.Role < least, to != nil && to.User != by && who.Role != biz.RoleAdmin && to.Role >= who.Role:
		return "ROLE_TOO_LOW"
	}
	return ""
}

func (m *hallModel) setRole(by, user biz.UserID, role biz.Role) string {
	to := m.find(user)
	admins := 0
	for _, o := range m.members {
		if o.Role == biz.RoleAdmin {
			admins++
		}
	}
	switch why := m.above(by, biz.RoleAdmin, nil); {
	case why != "":
		return why
	case to == nil:
		return "NOT_A_MEMBER"
	case to.Role == biz.RoleAdmin && role != biz.RoleAdmin && by != "" && admins == 1:
		return "LAST_ADMIN"
	case to.Role != role:
		to.Role = role
		m.head++
	}
	return ""
}

func (m *hallModel) mute(by, user biz.UserID, muted bool) string {
	to := m.find(user)
	switch why := m.above(by, biz.RoleModerator, to); {
	case why != "":
		return why
	case to == nil:
		return "NOT_A_MEMBER"
	case to.User == by && to.Role < biz.RoleAdmin:
		return "ROLE_TOO_LOW"
	case to.Muted != muted:
		to.Muted = muted
		m.head++
	}
	return ""
}

func (m *hallModel) kick(by, user biz.UserID) string {
	to := m.find(user)
	switch why := m.above(by, biz.RoleModerator, to); {
	case why != "":
		return why
	case to == nil:
		return "NOT_A_MEMBER"
	case by == user:
		return "INVALID_ARGUMENT"
	}
	m.remove(user)
	m.head++
	return ""
}

func (m *hallModel) ban(by, user biz.UserID) string {
	switch why := m.above(by, biz.RoleModerator, m.find(user)); {
	case why != "":
		return why
	case by == user:
		return "INVALID_ARGUMENT"
	}
	m.banned[user] = true
	delete(m.invited, user)
	m.remove(user)
	m.head++
	return ""
}

func (m *hallModel) unban(by, user biz.UserID) string {
	why := m.above(by, biz.RoleModerator, nil)
	if why == "" {
		delete(m.banned, user)
	}
	return why
}

func (m *hallModel) invite(by, user biz.UserID) string {
	switch why := m.above(by, biz.RoleUser, nil); {
	case why != "":
		return why
	case m.find(user) != nil:
		return ""
	case m.banned[user]:
		return "BANNED"
	}
	m.invited[user] = true
	return ""
}

func (m *hallModel) update(by biz.UserID, most int, inviteOnly bool) string {
	why := m.above(by, biz.RoleAdmin, nil)
	if why != "" {
		return why
	}
	before := m.config
	m.config.MaxUsers, m.config.InviteOnly = most, inviteOnly
	if m.config != before {
		m.head++
	}
	return ""
}

func (m *hallModel) end(by biz.UserID) string {
	why := m.above(by, biz.RoleAdmin, nil)
	if why == "" {
		m.exists, m.members, m.banned, m.invited = false, nil, nil, nil
	}
	return why
}

func (m *hallModel) say(user biz.UserID) string {
	who := m.find(user)
	switch {
	case !m.exists:
		return "ROOM_NOT_FOUND"
	case who == nil:
		return "NOT_A_MEMBER"
	case who.Muted:
		return "MUTED"
	}
	m.head++
	return ""
}

// TestRoomsAgainstModel has users, and a service, do at random what can be done about two rooms, through one node or
// another that hears nothing of the first. Each answer, and what is then stored, is that of the model.
func TestRoomsAgainstModel(t *testing.T) {
	t.Parallel()
	onTwoAdminNodes(t, func(t *testing.T, nodes [2]*adminNode) {
		checks := 0
		rapid.Check(t, func(rt *rapid.T) {
			checks++
			play := &roomsPlay{rt: rt, nodes: nodes}
			for i := range play.rooms {
				play.ids[i] = biz.RoomID(fmt.Sprintf("room-%d-%d", checks, i))
			}
			for range rapid.IntRange(20, 120).Draw(rt, "steps") {
				play.step()
			}
			play.compare(nodes[1])
		})
	})
}

type roomsPlay struct {
	rt    *rapid.T
	nodes [2]*adminNode
	ids   [2]biz.RoomID
	rooms [2]hallModel
}

// frequent is what is done, as often as it takes for rooms to live and to have members of all roles.
var frequent = slices.Concat(
	slices.Repeat([]string{"join"}, 12), slices.Repeat([]string{"role"}, 8), slices.Repeat([]string{"leave", "say"}, 4),
	slices.Repeat([]string{"mute", "unmute", "kick", "ban", "unban", "invite", "update"}, 2), []string{"create", "delete"},
)

var players = []biz.UserID{"a", "b", "c", "d", "e"}

func (p *roomsPlay) step() {
	rt, ctx := p.rt, context.Background()
	i, n := rapid.IntRange(0, 1).Draw(rt, "room"), p.nodes[rapid.IntRange(0, 1).Draw(rt, "node")]
	m, room := &p.rooms[i], p.ids[i]
	who := rapid.SampledFrom(players).Draw(rt, "who")
	if admin := m.admin(); admin != "" && rapid.Bool().Draw(rt, "an admin") { // who may do most
		who = admin
	}
	of := biz.OfMember{Room: room, Member: rapid.SampledFrom(players).Draw(rt, "member")}
	by, actor := as(who), who
	if rapid.IntRange(0, 9).Draw(rt, "service") == 0 {
		by, actor = aService, ""
	}
	var got error
	var want string
	act := rapid.SampledFrom(frequent).Draw(rt, "act")
	switch act {
	case "create":
		_, got = n.admin.Create(ctx, as(who), biz.CreateRoom{Room: room})
		want = m.create(who)
	case "join":
		got, want = n.join(room, who), m.join(who)
	case "leave":
		got, want = n.rooms.Leave(ctx, as(who), room, ""), m.leave(who)
	case "role":
		role := biz.Role(rapid.IntRange(1, 3).Draw(rt, "role"))
		_, got = n.admin.SetRole(ctx, by, of, role)
		want = m.setRole(actor, of.Member, role)
	case "mute":
		_, got = n.admin.Mute(ctx, by, of)
		want = m.mute(actor, of.Member, true)
	case "unmute":
		_, got = n.admin.Unmute(ctx, by, of)
		want = m.mute(actor, of.Member, false)
	case "kick":
		got, want = n.admin.Kick(ctx, by, of), m.kick(actor, of.Member)
	case "ban":
		got, want = n.admin.Ban(ctx, by, of), m.ban(actor, of.Member)
	case "unban":
		got, want = n.admin.Unban(ctx, by, of), m.unban(actor, of.Member)
	case "invite":
		got, want = n.admin.Invite(ctx, by, of), m.invite(actor, of.Member)
	case "update":
		config := biz.DefaultRoomConfig()
		config.MaxUsers, config.InviteOnly = rapid.SampledFrom([]int{0, 0, 2, 4}).Draw(rt, "most"), rapid.Bool().Draw(rt, "invite only")
		_, got = n.admin.Update(ctx, by, biz.UpdateRoom{Room: room, Config: &config})
		want = m.update(actor, config.MaxUsers, config.InviteOnly)
	case "delete":
		got, want = n.admin.Delete(ctx, by, room, ""), m.end(actor)
	case "say":
		got, want = n.say(room, who), m.say(who)
	}
	if reasonOf(got) != want {
		rt.Fatalf("%s %s in %s by %q: %v, want %q", act, of.Member, room, actor+who, got, want)
	}
	p.compare(n)
}

// compare compares all that is stored with the model.
func (p *roomsPlay) compare(n *adminNode) {
	ctx := context.Background()
	for i := range p.rooms {
		m, id := &p.rooms[i], p.ids[i]
		room, err := NewRooms(n.db).Room(ctx, id)
		if !m.exists {
			if reasonOf(err) != "ROOM_NOT_FOUND" {
				p.rt.Fatalf("%s is not to be there: %+v, %v", id, room, err)
			}
			continue
		}
		if err != nil {
			p.rt.Fatal(err)
		}
		members, _, err := NewRoomBook(n.db).Members(ctx, id, 0, 100)
		if err != nil {
			p.rt.Fatal(err)
		}
		bans, err := NewRoomBook(n.db).Bans(ctx, id, "", 100)
		if err != nil {
			p.rt.Fatal(err)
		}
		got := fmt.Sprintf("%d..%d, %d: %s, %v, without", room.FloorSeq, room.HeadSeq, room.Members, listed(members), room.Config)
		for _, b := range bans {
			got += " " + string(b.User)
		}
		want := fmt.Sprintf("%d..%d, %d: %s, %v, without", m.floor, m.head, len(m.members), listed(m.members), m.config)
		for _, user := range players {
			if m.banned[user] {
				want += " " + string(user)
			}
		}
		if got != want {
			p.rt.Fatalf("%s is\n%s, want\n%s", id, got, want)
		}
	}
}

func listed(members []biz.Member) string {
	var b strings.Builder
	for _, m := range members {
		fmt.Fprintf(&b, "%s %s %v %d; ", m.User, m.Role, m.Muted, m.JoinSeq)
	}
	return b.String()
}
