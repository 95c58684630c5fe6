package imactions

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

func (a *Actions) ephemeral(ctx context.Context, r *gateway.Request) error {
	req := &imv1.SendEphemeralRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	m := imcall.EphemeralOf(req)
	m.Origin = biz.SessionID(r.Session.ID)
	if err := a.rules.Ephemerals.Send(ctx, r.Identity, m); err != nil {
		return err
	}
	r.Answer(imcall.EphemeralSent(), nil)
	return nil
}

func (a *Actions) read(ctx context.Context, r *gateway.Request) error {
	req := &imv1.MarkReadRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	state, err := a.rules.Watermarks.MarkRead(ctx, r.Identity, biz.RoomID(req.GetRoomId()), biz.UserID(req.GetUserId()), req.GetSeq())
	if err != nil {
		return err
	}
	r.Answer(imcall.Marked(state), nil)
	return nil
}

func (a *Actions) readers(ctx context.Context, r *gateway.Request) error {
	req := &imv1.ListReadersRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	page, err := a.rules.Watermarks.Readers(ctx, r.Identity, imcall.ReadersOf(req))
	if err != nil {
		return err
	}
	r.Answer(imcall.Readers(page), nil)
	return nil
}

func (a *Actions) presence(ctx context.Context, r *gateway.Request) error {
	req := &imv1.GetPresenceRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	users, err := a.rules.Presences.Of(ctx, r.Identity, biz.UserID(req.GetUserId()), imcall.Users(req.GetUserIds()))
	if err != nil {
		return err
	}
	r.Answer(imcall.Presence(users), nil)
	return nil
}

// watch has the session hear of the users and rooms that the data, a PresenceContent, names.
func (a *Actions) watch(r *gateway.Request) error {
	req := &imv1.PresenceContent{}
	if err := r.Read(req); err != nil {
		return err
	}
	if err := a.rules.Watches.Watch(r.Session, imcall.WatchingOf(req)); err != nil {
		return err
	}
	r.Answer(nil, nil)
	return nil
}

// liveActions are those about who is there, and what is told to them.
func liveActions() map[string]action {
	return map[string]action{
		"im.readers":   (*Actions).readers,
		"im.ephemeral": (*Actions).ephemeral,
		"im.presence":  (*Actions).presence,
		"im.watch":     func(a *Actions, _ context.Context, r *gateway.Request) error { return a.watch(r) },
	}
}
