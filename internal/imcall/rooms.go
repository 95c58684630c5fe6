package imcall

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// CreateRoom is what a CreateRoom asks for.
func CreateRoom(req *imv1.CreateRoomRequest) biz.CreateRoom {
	return biz.CreateRoom{
		User: biz.UserID(req.GetUserId()), Room: biz.RoomID(req.GetRoomId()), Name: req.GetName(), Description: req.GetDescription(),
		Config: config(req.GetConfig()), Nickname: req.GetNickname(),
	}
}

// RoomCreated answers a CreateRoom.
func RoomCreated(r biz.Room) *imv1.CreateRoomResponse {
	return &imv1.CreateRoomResponse{Status: OK(), RoomInfo: roomInfo(r)}
}

// UpdateRoom is what an UpdateRoom asks for.
func UpdateRoom(req *imv1.UpdateRoomRequest) biz.UpdateRoom {
	return biz.UpdateRoom{
		User: biz.UserID(req.GetUserId()), Room: biz.RoomID(req.GetRoomId()), Name: req.Name, Description: req.Description,
		Config: config(req.GetConfig()),
	}
}

// RoomUpdated answers an UpdateRoom.
func RoomUpdated(r biz.Room) *imv1.UpdateRoomResponse {
	return &imv1.UpdateRoomResponse{Status: OK(), RoomInfo: roomInfo(r)}
}

// config is the way back of what roomInfo has; nil for none.
func config(c *imv1.RoomConfig) *biz.RoomConfig {
	if c == nil {
		return nil
	}
	return &biz.RoomConfig{
		MaxUsers: int(c.GetMaxUsers()), Persistent: c.GetPersistent(),
		MessageTTL: seconds(c.GetMessageTtlSeconds()), IdleTimeout: seconds(c.GetIdleTimeoutSeconds()),
		AllowAudio: c.GetAllowAudio(), AllowRichText: c.GetAllowRichText(), AutoTranscribe: c.GetAutoTranscribe(),
		InviteOnly: c.GetInviteOnly(),
	}
}

// seconds is a span, as long as one can be at most.
func seconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Second)
	return time.Duration(max(-most, min(n, most))) * time.Second
}

// OfMember is what a request about a member asks for, whatever that is.
func OfMember(req interface {
	GetUserId() string
	GetRoomId() string
	GetMemberId() string
}) biz.OfMember {
	of := biz.OfMember{User: biz.UserID(req.GetUserId()), Room: biz.RoomID(req.GetRoomId()), Member: biz.UserID(req.GetMemberId())}
	if r, ok := req.(interface{ GetReason() string }); ok {
		of.Reason = r.GetReason()
	}
	if r, ok := req.(interface{ GetUntil() *timestamppb.Timestamp }); ok && r.GetUntil() != nil {
		of.Until = r.GetUntil().AsTime()
	}
	return of
}

// RoomMember is a member as answers have him.
func RoomMember(m biz.Member) *imv1.RoomUser { return roomUser(&m) }

// List is what a request for a page asks for.
func List(req interface {
	GetUserId() string
	GetLimit() int32
	GetPageToken() string
}) biz.ListRequest {
	list := biz.ListRequest{User: biz.UserID(req.GetUserId()), Limit: int(req.GetLimit()), Token: req.GetPageToken()}
	if r, ok := req.(interface{ GetRoomId() string }); ok {
		list.Room = biz.RoomID(r.GetRoomId())
	}
	return list
}

// Members answers a ListMembers.
func Members(p biz.MemberPage) *imv1.ListMembersResponse {
	resp := &imv1.ListMembersResponse{Status: OK(), NextPageToken: p.Next}
	for i := range p.Members {
		resp.Members = append(resp.Members, roomUser(&p.Members[i]))
	}
	return resp
}

// Bans answers a ListBans.
func Bans(p biz.BanPage) *imv1.ListBansResponse {
	resp := &imv1.ListBansResponse{Status: OK(), NextPageToken: p.Next}
	for _, b := range p.Bans {
		resp.Bans = append(resp.Bans, &imv1.Ban{
			UserId: string(b.User), BannedBy: string(b.By), Reason: b.Reason, BannedAt: timestamp(b.At), Until: timestamp(b.Until),
		})
	}
	return resp
}

// MyRooms answers a ListMyRooms.
func MyRooms(p biz.MyRooms) *imv1.ListMyRoomsResponse {
	resp := &imv1.ListMyRoomsResponse{Status: OK(), NextPageToken: p.Next}
	for i := range p.Rooms {
		r := &p.Rooms[i]
		mine := &imv1.MyRoom{RoomInfo: roomInfo(r.Room), State: state(r.State), Member: roomUser(&r.Member), PeerId: string(r.Peer)}
		if r.Last != nil {
			mine.LastMessage = Message(r.Last)
		}
		resp.Rooms = append(resp.Rooms, mine)
	}
	for _, i := range p.Invitations {
		resp.Invitations = append(resp.Invitations, &imv1.Invitation{
			RoomId: string(i.Room), RoomName: i.Name, InviterId: string(i.Inviter), InvitedAt: timestamp(i.At),
		})
	}
	return resp
}
