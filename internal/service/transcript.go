package service

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// GetAudioTranscript implements imv1.IMServiceServer.
func (s *IM) GetAudioTranscript(ctx context.Context, req *imv1.TranscriptRequest) (*imv1.TranscriptResponse, error) {
	t, err := s.rules.Transcripts.Of(ctx, biz.IdentityFrom(ctx), biz.AudioID(req.GetAudioId()), biz.UserID(req.GetUserId()))
	if err != nil {
		return nil, Error(s.log, err)
	}
	return imcall.Transcript(t), nil
}
