package hermodctl

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Pages of lists are as large as nodes allow, so that a list is few calls.
const (
	roomsInPage   = 200
	membersInPage = 1000
)

// sentence is what a command does to a member: for how long, and why.
type sentence struct {
	lasts  time.Duration
	ends   func() bool // how long is given
	reason string
}

func (p *sentence) registerLasts(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&p.lasts, "for", 0, "how long, such as 10m (default until it is taken back)")
	p.ends = func() bool { return cmd.Flags().Changed("for") }
}

func (p *sentence) registerReason(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.reason, "reason", "", "why, for people")
}

// until returns when it ends, nil for never.
func (p *sentence) until() (*timestamppb.Timestamp, error) {
	switch {
	case !p.ends():
		return nil, nil //nolint:nilnil // for good
	case p.lasts <= 0: // 0 is what a script has worked out, and not for good
		return nil, usagef("--for %v is not possible; a positive duration such as 10m is allowed, and leaving it out is until it is taken back", p.lasts)
	}
	return timestamppb.New(time.Now().Add(p.lasts)), nil
}

var aMember = []string{"ROOM", "USER"}

func newRoomList(s *streams) *cobra.Command {
	return roomCommand{
		use: "list USER", short: "List the rooms of a user", arguments: []string{"USER"}, noUser: true, json: true,
		long: `list shows the rooms of a user in the order in which he joined them, with what he has
not read and how often he is mentioned in that, and those that he is invited to.`,
		example: `  hermodctl room list alice
  hermodctl room list alice --json | jq -r 'select(.unread > 0) | .room_id'`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		for token := ""; ; {
			page, err := c.rooms.ListMyRooms(ctx, &imv1.ListMyRoomsRequest{UserId: c.args[0], Limit: roomsInPage, PageToken: token})
			if err != nil {
				return err
			}
			for _, room := range page.GetRooms() {
				if err := c.show.mine(room); err != nil {
					return err
				}
			}
			for _, i := range page.GetInvitations() {
				if err := c.show.invitation(i); err != nil {
					return err
				}
			}
			if token = page.GetNextPageToken(); token == "" {
				return c.show.none("%s is in no room", c.args[0])
			}
		}
	})
}

func newRoomMembers(s *streams) *cobra.Command {
	return roomCommand{
		use: "members ROOM", short: "List the members of a room", arguments: []string{"ROOM"}, json: true,
		long:    `members shows who is in a room, in the order in which they joined.`,
		example: `  hermodctl room members lobby --json | jq -r 'select(.role == "admin") | .user_id'`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		for token := ""; ; {
			page, err := c.rooms.ListMembers(ctx, &imv1.ListMembersRequest{UserId: c.as, RoomId: c.args[0], Limit: membersInPage, PageToken: token})
			if err != nil {
				return err
			}
			for _, m := range page.GetMembers() {
				if err := c.show.member(m); err != nil {
					return err
				}
			}
			if token = page.GetNextPageToken(); token == "" {
				return c.show.none("nobody is in %s", c.args[0])
			}
		}
	})
}

func newRoomBans(s *streams) *cobra.Command {
	return roomCommand{
		use: "bans ROOM", short: "List who is kept out of a room", arguments: []string{"ROOM"}, json: true,
		long:    `bans shows who may not join a room, by whom that was said, why and until when.`,
		example: `  hermodctl room bans lobby`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		for token := ""; ; {
			page, err := c.rooms.ListBans(ctx, &imv1.ListBansRequest{UserId: c.as, RoomId: c.args[0], Limit: membersInPage, PageToken: token})
			if err != nil {
				return err
			}
			for _, b := range page.GetBans() {
				if err := c.show.ban(b); err != nil {
					return err
				}
			}
			if token = page.GetNextPageToken(); token == "" {
				return c.show.none("nobody is kept out of %s", c.args[0])
			}
		}
	})
}

func newRoomRole(s *streams) *cobra.Command {
	return roomCommand{
		use: "role ROOM USER ROLE", short: "Give a member another role", arguments: []string{"ROOM", "USER", "ROLE"}, json: true,
		long:    `role makes a member a user, a moderator or an admin, and shows him.`,
		example: `  hermodctl room role lobby bob moderator`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		role, ok := roles[c.args[2]]
		if !ok {
			return usagef("%q is no role; user, moderator and admin are allowed", c.args[2])
		}
		resp, err := c.rooms.SetRole(ctx, &imv1.SetRoleRequest{UserId: c.as, RoomId: c.args[0], MemberId: c.args[1], Role: role})
		if err != nil {
			return err
		}
		return c.show.member(resp.GetMember())
	})
}

var roles = map[string]imv1.UserRole{
	"user":      imv1.UserRole_USER_ROLE_USER,
	"moderator": imv1.UserRole_USER_ROLE_MODERATOR,
	"admin":     imv1.UserRole_USER_ROLE_ADMIN,
}

func newRoomMute(s *streams) *cobra.Command {
	var p sentence
	cmd := roomCommand{
		use: "mute ROOM USER", short: "Keep a member from speaking", arguments: aMember, json: true,
		long:    `mute keeps a member from speaking, for as long as --for says, and shows him.`,
		example: `  hermodctl room mute lobby mallory --for 10m --reason "calm down"`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		until, err := p.until()
		if err != nil {
			return err
		}
		resp, err := c.rooms.MuteMember(ctx, &imv1.MuteMemberRequest{
			UserId: c.as, RoomId: c.args[0], MemberId: c.args[1], Until: until, Reason: p.reason,
		})
		if err != nil {
			return err
		}
		return c.show.member(resp.GetMember())
	})
	p.registerLasts(cmd)
	p.registerReason(cmd)
	return cmd
}

func newRoomUnmute(s *streams) *cobra.Command {
	return roomCommand{
		use: "unmute ROOM USER", short: "Let a member speak again", arguments: aMember, json: true,
		long: `unmute lets a member speak again, and shows him.`, example: `  hermodctl room unmute lobby mallory`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		resp, err := c.rooms.UnmuteMember(ctx, &imv1.UnmuteMemberRequest{UserId: c.as, RoomId: c.args[0], MemberId: c.args[1]})
		if err != nil {
			return err
		}
		return c.show.member(resp.GetMember())
	})
}

func newRoomKick(s *streams) *cobra.Command {
	var p sentence
	cmd := roomCommand{
		use: "kick ROOM USER", short: "End a membership", arguments: aMember,
		long: `kick ends the membership of a user, who may join again.`, example: `  hermodctl room kick lobby mallory --reason "spam"`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		if _, err := c.rooms.KickMember(ctx, &imv1.KickMemberRequest{UserId: c.as, RoomId: c.args[0], MemberId: c.args[1], Reason: p.reason}); err != nil {
			return err
		}
		return c.show.say("%s is no member of %s any more", c.args[1], c.args[0])
	})
	p.registerReason(cmd)
	return cmd
}

func newRoomBan(s *streams) *cobra.Command {
	var p sentence
	cmd := roomCommand{
		use: "ban ROOM USER", short: "Keep a user out of a room", arguments: aMember,
		long: `ban ends the membership of a user, if he is a member, and keeps him out, for as long
as --for says.`, example: `  hermodctl room ban lobby mallory --for 24h --reason "spam"`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		until, err := p.until()
		if err != nil {
			return err
		}
		if _, err := c.rooms.BanUser(ctx, &imv1.BanUserRequest{
			UserId: c.as, RoomId: c.args[0], MemberId: c.args[1], Until: until, Reason: p.reason,
		}); err != nil {
			return err
		}
		return c.show.say("%s is kept out of %s", c.args[1], c.args[0])
	})
	p.registerLasts(cmd)
	p.registerReason(cmd)
	return cmd
}

func newRoomUnban(s *streams) *cobra.Command {
	return roomCommand{
		use: "unban ROOM USER", short: "Let a user join again", arguments: aMember,
		long: `unban lets a user join again who was kept out.`, example: `  hermodctl room unban lobby mallory`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		if _, err := c.rooms.UnbanUser(ctx, &imv1.UnbanUserRequest{UserId: c.as, RoomId: c.args[0], MemberId: c.args[1]}); err != nil {
			return err
		}
		return c.show.say("%s may join %s again", c.args[1], c.args[0])
	})
}

func newRoomInvite(s *streams) *cobra.Command {
	return roomCommand{
		use: "invite ROOM USER", short: "Invite a user", arguments: aMember,
		long: `invite lets a user join a room that is for the invited only, and tells him.`, example: `  hermodctl room invite staff bob --as alice`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		if _, err := c.rooms.InviteUser(ctx, &imv1.InviteUserRequest{UserId: c.as, RoomId: c.args[0], MemberId: c.args[1]}); err != nil {
			return err
		}
		return c.show.say("%s is invited to %s", c.args[1], c.args[0])
	})
}
