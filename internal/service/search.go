package service

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// Search implements imv1.IMServiceServer.
func (s *IM) Search(ctx context.Context, req *imv1.SearchRequest) (*imv1.SearchResponse, error) {
	page, err := s.rules.Search.Find(ctx, biz.IdentityFrom(ctx), imcall.Wanted(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Found(page), nil
}
