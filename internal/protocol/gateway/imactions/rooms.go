package imactions

import (
	"context"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// call makes an action of a call that is a request and an answer.
func call[Req any, P interface {
	*Req
	proto.Message
}](do func(*Actions, context.Context, *gateway.Request, P) (proto.Message, error)) action {
	return func(a *Actions, ctx context.Context, r *gateway.Request) error {
		req := P(new(Req))
		if err := r.Read(req); err != nil {
			return err
		}
		resp, err := do(a, ctx, r, req)
		if err != nil {
			return err
		}
		r.Answer(resp, nil)
		return nil
	}
}

// roomActions are the calls of RoomService.
func roomActions() map[string]action {
	return map[string]action{
		"im.create_room": (*Actions).createRoom,
		"im.update_room": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.UpdateRoomRequest) (proto.Message, error) {
			room, err := a.rules.Admin.Update(ctx, r.Identity, imcall.UpdateRoom(req))
			return imcall.RoomUpdated(room), err
		}),
		"im.delete_room": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.DeleteRoomRequest) (proto.Message, error) {
			err := a.rules.Admin.Delete(ctx, r.Identity, biz.RoomID(req.GetRoomId()), biz.UserID(req.GetUserId()))
			return &imv1.DeleteRoomResponse{Status: imcall.OK()}, err
		}),
		"im.rooms": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.ListMyRoomsRequest) (proto.Message, error) {
			asked := imcall.List(req)
			asked.Bytes = a.pageBytes()
			page, err := a.rules.Admin.Mine(ctx, r.Identity, asked)
			return imcall.MyRooms(page), err
		}),
		"im.members": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.ListMembersRequest) (proto.Message, error) {
			page, err := a.rules.Admin.Members(ctx, r.Identity, imcall.List(req))
			return imcall.Members(page), err
		}),
		"im.bans": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.ListBansRequest) (proto.Message, error) {
			page, err := a.rules.Admin.Bans(ctx, r.Identity, imcall.List(req))
			return imcall.Bans(page), err
		}),
	}
}

// createRoom lets the session follow the room that its user has made, as join does.
func (a *Actions) createRoom(ctx context.Context, r *gateway.Request) error {
	req := &imv1.CreateRoomRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	asked := imcall.CreateRoom(req)
	asked.Session = biz.SessionID(r.Session.ID)
	made, err := a.rules.Admin.Create(ctx, r.Identity, asked)
	if err != nil {
		return err
	}
	begin, err := a.followOwn(ctx, r, made)
	if err != nil {
		return err
	}
	r.Answer(imcall.RoomCreated(made.Room), nil)
	begin()
	return nil
}

// memberActions are the calls of RoomService that are about one member.
func memberActions() map[string]action {
	return map[string]action{
		"im.set_role": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.SetRoleRequest) (proto.Message, error) {
			m, err := a.rules.Admin.SetRole(ctx, r.Identity, imcall.OfMember(req), biz.Role(req.GetRole()))
			return &imv1.SetRoleResponse{Status: imcall.OK(), Member: imcall.RoomMember(m)}, err
		}),
		"im.mute": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.MuteMemberRequest) (proto.Message, error) {
			m, err := a.rules.Admin.Mute(ctx, r.Identity, imcall.OfMember(req))
			return &imv1.MuteMemberResponse{Status: imcall.OK(), Member: imcall.RoomMember(m)}, err
		}),
		"im.unmute": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.UnmuteMemberRequest) (proto.Message, error) {
			m, err := a.rules.Admin.Unmute(ctx, r.Identity, imcall.OfMember(req))
			return &imv1.UnmuteMemberResponse{Status: imcall.OK(), Member: imcall.RoomMember(m)}, err
		}),
		"im.kick": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.KickMemberRequest) (proto.Message, error) {
			return &imv1.KickMemberResponse{Status: imcall.OK()}, a.rules.Admin.Kick(ctx, r.Identity, imcall.OfMember(req))
		}),
		"im.ban": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.BanUserRequest) (proto.Message, error) {
			return &imv1.BanUserResponse{Status: imcall.OK()}, a.rules.Admin.Ban(ctx, r.Identity, imcall.OfMember(req))
		}),
		"im.unban": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.UnbanUserRequest) (proto.Message, error) {
			return &imv1.UnbanUserResponse{Status: imcall.OK()}, a.rules.Admin.Unban(ctx, r.Identity, imcall.OfMember(req))
		}),
		"im.invite": call(func(a *Actions, ctx context.Context, r *gateway.Request, req *imv1.InviteUserRequest) (proto.Message, error) {
			return &imv1.InviteUserResponse{Status: imcall.OK()}, a.rules.Admin.Invite(ctx, r.Identity, imcall.OfMember(req))
		}),
	}
}
