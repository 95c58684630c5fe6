package client

import (
	"context"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// SetRole gives a member another role and returns him as he is then. Who may do this and what follows:
// docs/rooms.md. Who may not is refused with ROLE_TOO_LOW or NOT_A_MEMBER, in a direct room with DIRECT_ROOM.
func (c *Client) SetRole(ctx context.Context, roomID, memberID string, role imv1.UserRole) (*imv1.RoomUser, error) {
	resp, err := askRooms(ctx, c, roomID, imv1.RoomServiceClient.SetRole, &imv1.SetRoleRequest{
		UserId: c.cfg.UserID, RoomId: roomID, MemberId: memberID, Role: role,
	})
	return resp.GetMember(), err
}

// MuteMember keeps a member from speaking until a moment, or until UnmuteMember if that is zero. The reason is
// for people and may be empty.
func (c *Client) MuteMember(ctx context.Context, roomID, memberID string, until time.Time, reason string) (*imv1.RoomUser, error) {
	resp, err := askRooms(ctx, c, roomID, imv1.RoomServiceClient.MuteMember, &imv1.MuteMemberRequest{
		UserId: c.cfg.UserID, RoomId: roomID, MemberId: memberID, Until: moment(until), Reason: reason,
	})
	return resp.GetMember(), err
}

// UnmuteMember lets a member speak again.
func (c *Client) UnmuteMember(ctx context.Context, roomID, memberID string) (*imv1.RoomUser, error) {
	resp, err := askRooms(ctx, c, roomID, imv1.RoomServiceClient.UnmuteMember, &imv1.UnmuteMemberRequest{
		UserId: c.cfg.UserID, RoomId: roomID, MemberId: memberID,
	})
	return resp.GetMember(), err
}

// KickMember ends the membership of another, who may join again.
func (c *Client) KickMember(ctx context.Context, roomID, memberID, reason string) error {
	_, err := askRooms(ctx, c, roomID, imv1.RoomServiceClient.KickMember, &imv1.KickMemberRequest{
		UserId: c.cfg.UserID, RoomId: roomID, MemberId: memberID, Reason: reason,
	})
	return err
}

// BanUser ends the membership of another, if he is a member, and keeps him out until a moment, or until
// UnbanUser if that is zero.
func (c *Client) BanUser(ctx context.Context, roomID, userID string, until time.Time, reason string) error {
	_, err := askRooms(ctx, c, roomID, imv1.RoomServiceClient.BanUser, &imv1.BanUserRequest{
		UserId: c.cfg.UserID, RoomId: roomID, MemberId: userID, Until: moment(until), Reason: reason,
	})
	return err
}

// UnbanUser lets a user join again.
func (c *Client) UnbanUser(ctx context.Context, roomID, userID string) error {
	_, err := askRooms(ctx, c, roomID, imv1.RoomServiceClient.UnbanUser, &imv1.UnbanUserRequest{
		UserId: c.cfg.UserID, RoomId: roomID, MemberId: userID,
	})
	return err
}

// InviteUser lets a user join a room that is for the invited only, and tells him.
func (c *Client) InviteUser(ctx context.Context, roomID, userID string) error {
	_, err := askRooms(ctx, c, roomID, imv1.RoomServiceClient.InviteUser, &imv1.InviteUserRequest{
		UserId: c.cfg.UserID, RoomId: roomID, MemberId: userID,
	})
	return err
}

// moment is t on the wire; the zero time is not said.
func moment(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
