package service

import (
	"context"
	"log/slog"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// Rooms serves im.v1.RoomService.
type Rooms struct {
	imv1.UnimplementedRoomServiceServer
	admin *biz.RoomAdmin
	log   *slog.Logger
}

// NewRooms returns the service.
func NewRooms(admin *biz.RoomAdmin, log *slog.Logger) *Rooms { return &Rooms{admin: admin, log: log} }

// answered returns an answer, or what the caller is told of an error.
func answered[R any](log *slog.Logger, resp R, err error) (R, error) {
	if err != nil {
		var none R
		return none, Error(log, err)
	}
	return resp, nil
}

// CreateRoom implements imv1.RoomServiceServer.
func (s *Rooms) CreateRoom(ctx context.Context, req *imv1.CreateRoomRequest) (*imv1.CreateRoomResponse, error) {
	made, err := s.admin.Create(ctx, biz.IdentityFrom(ctx), imcall.CreateRoom(req))
	return answered(s.log, imcall.RoomCreated(made.Room), err)
}

// UpdateRoom implements imv1.RoomServiceServer.
func (s *Rooms) UpdateRoom(ctx context.Context, req *imv1.UpdateRoomRequest) (*imv1.UpdateRoomResponse, error) {
	room, err := s.admin.Update(ctx, biz.IdentityFrom(ctx), imcall.UpdateRoom(req))
	return answered(s.log, imcall.RoomUpdated(room), err)
}

// DeleteRoom implements imv1.RoomServiceServer.
func (s *Rooms) DeleteRoom(ctx context.Context, req *imv1.DeleteRoomRequest) (*imv1.DeleteRoomResponse, error) {
	err := s.admin.Delete(ctx, biz.IdentityFrom(ctx), biz.RoomID(req.GetRoomId()), biz.UserID(req.GetUserId()))
	return answered(s.log, &imv1.DeleteRoomResponse{Status: imcall.OK()}, err)
}

// ListMyRooms implements imv1.RoomServiceServer.
func (s *Rooms) ListMyRooms(ctx context.Context, req *imv1.ListMyRoomsRequest) (*imv1.ListMyRoomsResponse, error) {
	page, err := s.admin.Mine(ctx, biz.IdentityFrom(ctx), imcall.List(req))
	return answered(s.log, imcall.MyRooms(page), err)
}

// ListMembers implements imv1.RoomServiceServer.
func (s *Rooms) ListMembers(ctx context.Context, req *imv1.ListMembersRequest) (*imv1.ListMembersResponse, error) {
	page, err := s.admin.Members(ctx, biz.IdentityFrom(ctx), imcall.List(req))
	return answered(s.log, imcall.Members(page), err)
}

// SetRole implements imv1.RoomServiceServer.
func (s *Rooms) SetRole(ctx context.Context, req *imv1.SetRoleRequest) (*imv1.SetRoleResponse, error) {
	m, err := s.admin.SetRole(ctx, biz.IdentityFrom(ctx), imcall.OfMember(req), biz.Role(req.GetRole()))
	return answered(s.log, &imv1.SetRoleResponse{Status: imcall.OK(), Member: imcall.RoomMember(m)}, err)
}

// MuteMember implements imv1.RoomServiceServer.
func (s *Rooms) MuteMember(ctx context.Context, req *imv1.MuteMemberRequest) (*imv1.MuteMemberResponse, error) {
	m, err := s.admin.Mute(ctx, biz.IdentityFrom(ctx), imcall.OfMember(req))
	return answered(s.log, &imv1.MuteMemberResponse{Status: imcall.OK(), Member: imcall.RoomMember(m)}, err)
}

// UnmuteMember implements imv1.RoomServiceServer.
func (s *Rooms) UnmuteMember(ctx context.Context, req *imv1.UnmuteMemberRequest) (*imv1.UnmuteMemberResponse, error) {
	m, err := s.admin.Unmute(ctx, biz.IdentityFrom(ctx), imcall.OfMember(req))
	return answered(s.log, &imv1.UnmuteMemberResponse{Status: imcall.OK(), Member: imcall.RoomMember(m)}, err)
}

// KickMember implements imv1.RoomServiceServer.
func (s *Rooms) KickMember(ctx context.Context, req *imv1.KickMemberRequest) (*imv1.KickMemberResponse, error) {
	err := s.admin.Kick(ctx, biz.IdentityFrom(ctx), imcall.OfMember(req))
	return answered(s.log, &imv1.KickMemberResponse{Status: imcall.OK()}, err)
}

// BanUser implements imv1.RoomServiceServer.
func (s *Rooms) BanUser(ctx context.Context, req *imv1.BanUserRequest) (*imv1.BanUserResponse, error) {
	err := s.admin.Ban(ctx, biz.IdentityFrom(ctx), imcall.OfMember(req))
	return answered(s.log, &imv1.BanUserResponse{Status: imcall.OK()}, err)
}

// UnbanUser implements imv1.RoomServiceServer.
func (s *Rooms) UnbanUser(ctx context.Context, req *imv1.UnbanUserRequest) (*imv1.UnbanUserResponse, error) {
	err := s.admin.Unban(ctx, biz.IdentityFrom(ctx), imcall.OfMember(req))
	return answered(s.log, &imv1.UnbanUserResponse{Status: imcall.OK()}, err)
}

// ListBans implements imv1.RoomServiceServer.
func (s *Rooms) ListBans(ctx context.Context, req *imv1.ListBansRequest) (*imv1.ListBansResponse, error) {
	page, err := s.admin.Bans(ctx, biz.IdentityFrom(ctx), imcall.List(req))
	return answered(s.log, imcall.Bans(page), err)
}

// InviteUser implements imv1.RoomServiceServer.
func (s *Rooms) InviteUser(ctx context.Context, req *imv1.InviteUserRequest) (*imv1.InviteUserResponse, error) {
	err := s.admin.Invite(ctx, biz.IdentityFrom(ctx), imcall.OfMember(req))
	return answered(s.log, &imv1.InviteUserResponse{Status: imcall.OK()}, err)
}
