package imcall

import (
	"math"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// Uploaded answers an UploadAudio.
func Uploaded(a biz.Audio, url string) *imv1.UploadAudioResponse {
	return &imv1.UploadAudioResponse{
		Status: OK(), AudioId: string(a.ID), AudioUrl: url,
		Format: a.Format, Duration: a.Duration.Seconds(), Waveform: []byte(a.Waveform),
	}
}

// Valid is how long a GetAudioURL wants its address to be good; 0: as long as there is.
func Valid(req *imv1.GetAudioURLRequest) time.Duration {
	seconds := req.GetValidSeconds()
	if seconds > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64 // which is too long, and refused as that
	}
	return time.Duration(max(seconds, -1)) * time.Second
}

// Granted answers a GetAudioURL.
func Granted(url string, grant biz.AudioGrant) *imv1.GetAudioURLResponse {
	return &imv1.GetAudioURLResponse{Status: OK(), Url: url, ExpiresAt: timestamp(grant.Expires)}
}
