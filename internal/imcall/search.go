package imcall

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// Wanted is what a Search asks for.
func Wanted(req *imv1.SearchRequest) biz.SearchRequest {
	wanted := biz.SearchRequest{
		User: biz.UserID(req.GetUserId()), Query: req.GetQuery(), Since: moment(req.GetSince()), Until: moment(req.GetUntil()),
		Limit: int(req.GetLimit()), Token: req.GetPageToken(),
	}
	for _, room := range req.GetRoomIds() {
		wanted.Rooms = append(wanted.Rooms, biz.RoomID(room))
	}
	for _, user := range req.GetFromUserIds() {
		wanted.From = append(wanted.From, biz.UserID(user))
	}
	return wanted
}

// Found answers a Search.
func Found(p biz.SearchPage) *imv1.SearchResponse {
	return &imv1.SearchResponse{
		Status: OK(), Messages: messages(p.Messages), NextPageToken: p.Next, Incomplete: p.Incomplete,
	}
}

func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
