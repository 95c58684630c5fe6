package imactions

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

func (a *Actions) search(ctx context.Context, r *gateway.Request) error {
	req := &imv1.SearchRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	wanted := imcall.Wanted(req)
	wanted.Bytes = a.pageBytes()
	page, err := a.rules.Search.Find(ctx, r.Identity, wanted)
	if err != nil {
		return err
	}
	r.Answer(imcall.Found(page), nil)
	return nil
}
