package imactions

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// AudioURLs tells where recordings are fetched from.
type AudioURLs interface {
	// AudioURL returns the address of a recording, with what lets anybody fetch it.
	AudioURL(id biz.AudioID, grant biz.AudioGrant) string
}

func (a *Actions) audioURL(ctx context.Context, r *gateway.Request) error {
	req := &imv1.GetAudioURLRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	id := biz.AudioID(req.GetAudioId())
	grant, err := a.rules.Audios.Grant(ctx, r.Identity, biz.UserID(req.GetUserId()), id, imcall.Valid(req))
	if err != nil {
		return err
	}
	r.Answer(imcall.Granted(a.rules.URLs.AudioURL(id, grant), grant), nil)
	return nil
}
