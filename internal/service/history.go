package service

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// History implements imv1.IMServiceServer.
func (s *IM) History(ctx context.Context, req *imv1.HistoryRequest) (*imv1.HistoryResponse, error) {
	page, err := s.rules.History.Page(ctx, biz.IdentityFrom(ctx), imcall.PastOf(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Past(page), nil
}

// Sync implements imv1.IMServiceServer.
func (s *IM) Sync(ctx context.Context, req *imv1.SyncRequest) (*imv1.SyncResponse, error) {
	page, err := s.rules.History.Sync(ctx, biz.IdentityFrom(ctx), imcall.MissedOf(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Missed(page), nil
}
