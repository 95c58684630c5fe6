package imactions

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// maxPageBytes is where a page ends in a session.
const maxPageBytes = 128 << 10

// pageBytes is that, or less where queues are short: an answer is one frame among others in its session's
// queue, and in JSON takes two and a half times as much.
func (a *Actions) pageBytes() int { return min(maxPageBytes, a.node.Core().Config().QueueBytes/8) }

func (a *Actions) history(ctx context.Context, r *gateway.Request) error {
	req := &imv1.HistoryRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	asked := imcall.PastOf(req)
	asked.Bytes = a.pageBytes()
	page, err := a.rules.History.Page(ctx, r.Identity, asked)
	if err != nil {
		return err
	}
	r.Answer(imcall.Past(page), nil)
	return nil
}

func (a *Actions) sync(ctx context.Context, r *gateway.Request) error {
	req := &imv1.SyncRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	asked := imcall.MissedOf(req)
	asked.Bytes = a.pageBytes()
	page, err := a.rules.History.Sync(ctx, r.Identity, asked)
	if err != nil {
		return err
	}
	r.Answer(imcall.Missed(page), nil)
	return nil
}
