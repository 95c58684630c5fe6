package service

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// GetAudioURL implements imv1.IMServiceServer.
func (s *IM) GetAudioURL(ctx context.Context, req *imv1.GetAudioURLRequest) (*imv1.GetAudioURLResponse, error) {
	return s.uploads.sign(ctx, req)
}

func (s *Uploads) sign(ctx context.Context, req *imv1.GetAudioURLRequest) (*imv1.GetAudioURLResponse, error) {
	id := biz.AudioID(req.GetAudioId())
	grant, err := s.audios.Grant(ctx, biz.IdentityFrom(ctx), biz.UserID(req.GetUserId()), id, imcall.Valid(req))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Granted(s.urls.AudioURL(id, grant), grant), nil
}
