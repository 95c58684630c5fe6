package service

import (
	"log/slog"

	"google.golang.org/grpc"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// AudioURLs tells where recordings are fetched from.
type AudioURLs interface {
	// AudioURL returns the address of a recording, with what lets anybody fetch it, if that is not empty.
	AudioURL(id biz.AudioID, grant biz.AudioGrant) string
}

// Uploads serves the part of im.v1.IMService that takes recordings.
type Uploads struct {
	audios  *biz.Audios
	urls    AudioURLs
	metrics *AudioMetrics
	log     *slog.Logger
}

// NewUploads returns the service.
func NewUploads(audios *biz.Audios, urls AudioURLs, metrics *AudioMetrics, log *slog.Logger) *Uploads {
	return &Uploads{audios: audios, urls: urls, metrics: metrics, log: log}
}

// UploadAudio implements imv1.IMServiceServer. It answers once the recording is kept. The server
// needs a codec that hands an InPlace its bytes.
func (s *IM) UploadAudio(stream grpc.ClientStreamingServer[imv1.UploadAudioRequest, imv1.UploadAudioResponse]) error {
	return s.uploads.take(stream)
}

func (s *Uploads) take(stream grpc.ClientStreamingServer[imv1.UploadAudioRequest, imv1.UploadAudioResponse]) error {
	audio, err := s.receive(stream)
	if err != nil {
		return Error(s.log, err)
	}
	grant, err := s.audios.GrantUpload(audio.ID)
	if err != nil {
		return Error(s.log, err)
	}
	return stream.SendAndClose(imcall.Uploaded(audio, s.urls.AudioURL(audio.ID, grant)))
}

func (s *Uploads) receive(stream grpc.ServerStream) (audio biz.Audio, err error) {
	s.metrics.running.Inc()
	outcome := uploadFailed // after a panic
	defer func() {
		s.metrics.running.Dec()
		s.metrics.uploads.WithLabelValues(outcome).Inc()
	}()
	frames := receiveFrames(stream, s.metrics.bytes)
	defer frames.stop()
	ctx := stream.Context()
	audio, err = s.audios.Upload(ctx, biz.IdentityFrom(ctx), frames)
	outcome = uploadOutcome(err)
	return audio, err
}
