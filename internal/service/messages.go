package service

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// EditMessage implements imv1.IMServiceServer.
func (s *IM) EditMessage(ctx context.Context, req *imv1.EditMessageRequest) (*imv1.EditMessageResponse, error) {
	done, err := s.rules.Revisions.Edit(ctx, biz.IdentityFrom(ctx), imcall.EditOf(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Edited(done), nil
}

// RecallMessage implements imv1.IMServiceServer.
func (s *IM) RecallMessage(ctx context.Context, req *imv1.RecallMessageRequest) (*imv1.RecallMessageResponse, error) {
	done, err := s.rules.Revisions.Recall(ctx, biz.IdentityFrom(ctx), imcall.RecallOf(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Recalled(done), nil
}

// React implements imv1.IMServiceServer.
func (s *IM) React(ctx context.Context, req *imv1.ReactRequest) (*imv1.ReactResponse, error) {
	done, err := s.rules.Revisions.React(ctx, biz.IdentityFrom(ctx), imcall.ReactOf(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Reacted(done), nil
}

// ListReactions implements imv1.IMServiceServer.
func (s *IM) ListReactions(ctx context.Context, req *imv1.ListReactionsRequest) (*imv1.ListReactionsResponse, error) {
	page, err := s.rules.Revisions.Reactions(ctx, biz.IdentityFrom(ctx), imcall.ReactionsOf(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Reactions(page), nil
}
