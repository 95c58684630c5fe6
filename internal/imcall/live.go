package imcall

import (
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// EphemeralOf is what a SendEphemeral asks for.
func EphemeralOf(req *imv1.SendEphemeralRequest) *biz.Ephemeral {
	return &biz.Ephemeral{
		Room: biz.RoomID(req.GetRoomId()), User: biz.UserID(req.GetUserId()),
		Kind: req.GetContent().GetKind(), Data: req.GetContent().GetData(),
	}
}

// EphemeralSent answers a SendEphemeral.
func EphemeralSent() *imv1.SendEphemeralResponse { return &imv1.SendEphemeralResponse{Status: OK()} }

// ReadersOf is what a ListReaders asks for.
func ReadersOf(req *imv1.ListReadersRequest) biz.ReadersRequest {
	return biz.ReadersRequest{
		Room: biz.RoomID(req.GetRoomId()), User: biz.UserID(req.GetUserId()), Seq: req.GetSeq(),
		Limit: int(req.GetLimit()), Token: req.GetPageToken(),
	}
}

// Readers answers a ListReaders.
func Readers(p biz.ReadersPage) *imv1.ListReadersResponse {
	resp := &imv1.ListReadersResponse{Status: OK(), NextPageToken: p.Next}
	for _, m := range p.Members {
		resp.Members = append(resp.Members, &imv1.Watermark{UserId: string(m.User), ReadSeq: m.Read, DeliveredSeq: m.Delivered})
	}
	return resp
}

// Presence answers a GetPresence.
func Presence(users []biz.UserPresence) *imv1.GetPresenceResponse {
	return &imv1.GetPresenceResponse{Status: OK(), Users: Presences(users)}
}

// Presences are where users are.
func Presences(users []biz.UserPresence) []*imv1.UserPresence {
	out := make([]*imv1.UserPresence, len(users))
	for i, u := range users {
		out[i] = &imv1.UserPresence{UserId: string(u.User), State: imv1.PresenceState(u.State), LastSeen: timestamp(u.LastSeen)}
	}
	return out
}

// Users are users whom a call names.
func Users(ids []string) []biz.UserID {
	users := make([]biz.UserID, len(ids))
	for i, id := range ids {
		users[i] = biz.UserID(id)
	}
	return users
}

// WatchingOf is whom a client wants to hear of.
func WatchingOf(c *imv1.PresenceContent) biz.Watching {
	w := biz.Watching{Users: Users(c.GetUserIds())}
	for _, id := range c.GetRoomIds() {
		w.Rooms = append(w.Rooms, biz.RoomID(id))
	}
	return w
}
