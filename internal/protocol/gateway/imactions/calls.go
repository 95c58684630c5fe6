package imactions

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

func (a *Actions) leave(ctx context.Context, r *gateway.Request) error {
	req := &imv1.LeaveRoomRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	err := a.rules.Rooms.Leave(ctx, r.Identity, biz.RoomID(req.GetRoomId()), biz.UserID(req.GetUserId()))
	if err != nil {
		return err
	}
	r.Answer(imcall.Left(), nil)
	return nil
}

func (a *Actions) room(ctx context.Context, r *gateway.Request) error {
	view, err := a.view(ctx, r)
	if err != nil {
		return err
	}
	r.Answer(imcall.Room(view), nil)
	return nil
}

func (a *Actions) users(ctx context.Context, r *gateway.Request) error {
	view, err := a.view(ctx, r)
	if err != nil {
		return err
	}
	r.Answer(imcall.Online(view), nil)
	return nil
}

func (a *Actions) view(ctx context.Context, r *gateway.Request) (biz.RoomView, error) {
	req := &imv1.GetRoomInfoRequest{}
	if err := r.Read(req); err != nil {
		return biz.RoomView{}, err
	}
	return a.rules.Rooms.Info(ctx, r.Identity, biz.RoomID(req.GetRoomId()), biz.UserID(req.GetUserId()))
}

func (a *Actions) transcript(ctx context.Context, r *gateway.Request) error {
	req := &imv1.TranscriptRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	t, err := a.rules.Transcripts.Of(ctx, r.Identity, biz.AudioID(req.GetAudioId()), biz.UserID(req.GetUserId()))
	if err != nil {
		return err
	}
	r.Answer(imcall.Transcript(t), nil)
	return nil
}
