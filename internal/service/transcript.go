package service

import (
	"context"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// GetAudioTranscript implements imv1.IMServiceServer. That a transcript has FAILED is no failure of
// the call: the status is 0 all the same, and its message says why.
func (s *IM) GetAudioTranscript(ctx context.Context, req *imv1.TranscriptRequest) (*imv1.TranscriptResponse, error) {
	t, err := s.transcripts.Of(ctx, biz.IdentityFrom(ctx), biz.AudioID(req.GetAudioId()), biz.UserID(req.GetUserId()))
	if err != nil {
		return nil, Error(s.log, err)
	}
	status := ok()
	if t.Status == biz.TranscriptFailed {
		status.Message = "transcription failed: " + t.Reason
		status.Details = map[string]string{"reason": t.Reason}
	}
	return &imv1.TranscriptResponse{Status: status, Transcription: &imv1.Transcription{
		AudioId:    string(t.Audio),
		Text:       t.Text,
		Confidence: t.Confidence,
		Status:     imv1.TranscriptStatus(t.Status),
		CreatedAt:  timestamp(t.CreatedAt),
		UpdatedAt:  timestamp(t.UpdatedAt),
	}}, nil
}
