package imactions

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// What is asked here is answered by itself; the session is told of the event as all others are that follow the room.

func (a *Actions) edit(ctx context.Context, r *gateway.Request) error {
	req := &imv1.EditMessageRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	done, err := a.rules.Revisions.Edit(ctx, r.Identity, imcall.EditOf(req))
	if err != nil {
		return err
	}
	r.Answer(imcall.Edited(done), nil)
	return nil
}

func (a *Actions) recall(ctx context.Context, r *gateway.Request) error {
	req := &imv1.RecallMessageRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	done, err := a.rules.Revisions.Recall(ctx, r.Identity, imcall.RecallOf(req))
	if err != nil {
		return err
	}
	r.Answer(imcall.Recalled(done), nil)
	return nil
}

func (a *Actions) react(ctx context.Context, r *gateway.Request) error {
	req := &imv1.ReactRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	done, err := a.rules.Revisions.React(ctx, r.Identity, imcall.ReactOf(req))
	if err != nil {
		return err
	}
	r.Answer(imcall.Reacted(done), nil)
	return nil
}

func (a *Actions) reactions(ctx context.Context, r *gateway.Request) error {
	req := &imv1.ListReactionsRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	page, err := a.rules.Revisions.Reactions(ctx, r.Identity, imcall.ReactionsOf(req))
	if err != nil {
		return err
	}
	r.Answer(imcall.Reactions(page), nil)
	return nil
}

// messageActions are those about what was said.
func messageActions() map[string]action {
	return map[string]action{
		"im.edit":      (*Actions).edit,
		"im.recall":    (*Actions).recall,
		"im.react":     (*Actions).react,
		"im.reactions": (*Actions).reactions,
	}
}
