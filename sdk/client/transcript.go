package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TranscriptError is returned by WaitTranscript for a recording that could not be transcribed.
type TranscriptError struct {
	AudioID string
	Reason  string // for people; may be empty
}

func (e *TranscriptError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("client: the transcription of %s failed", e.AudioID)
	}
	return fmt.Sprintf("client: the transcription of %s failed: %s", e.AudioID, e.Reason)
}

// GetAudioTranscript tells how far the transcription of an upload has come.
func (c *Client) GetAudioTranscript(ctx context.Context, audioID string) (*imv1.TranscriptResponse, error) {
	var resp *imv1.TranscriptResponse
	err := c.call(ctx, "", func(ctx context.Context, stub imv1.IMServiceClient) (status *imv1.ResponseStatus, err error) {
		resp, err = stub.GetAudioTranscript(ctx, &imv1.TranscriptRequest{AudioId: audioID, UserId: c.cfg.UserID})
		return resp.GetStatus(), err
	})
	return resp, err
}

// polling says how WaitTranscript asks.
type polling struct {
	first, longest time.Duration // between two questions: at the beginning, and later
	outage         time.Duration // how long no answer is put up with
}

var transcriptPolling = polling{first: 250 * time.Millisecond, longest: 5 * time.Second, outage: time.Minute}

// WaitTranscript asks for the transcript of an upload until it is there, or until it is known that
// there will be none, which is a *TranscriptError. It asks after a quarter of a second, then less
// and less often, at last every five seconds. For up to a minute it puts up with a server that
// cannot be reached. Without a deadline of ctx it may wait for as long as the server takes.
func (c *Client) WaitTranscript(ctx context.Context, audioID string) (*imv1.Transcription, error) {
	return c.waitTranscript(ctx, audioID, transcriptPolling)
}

func (c *Client) waitTranscript(ctx context.Context, audioID string, p polling) (*imv1.Transcription, error) {
	l := c.living()
	if l == nil {
		return nil, ErrNotConnected
	}
	ctx, unbind := l.bind(ctx)
	defer unbind()
	answered := time.Now()
	for interval := p.first; ; interval = min(interval*3/2, p.longest) {
		resp, err := c.GetAudioTranscript(ctx, audioID)
		if over, failure := ended(audioID, resp); over {
			return resp.GetTranscription(), failure
		}
		if err == nil {
			answered = time.Now()
		} else if ctx.Err() != nil || !passing(err) || time.Since(answered) > p.outage {
			return nil, fmt.Errorf("client: transcript of %s: %w", audioID, err)
		}
		if err := pause(ctx, interval); err != nil {
			return nil, fmt.Errorf("client: transcript of %s: %w", audioID, err)
		}
	}
}

// ended tells whether the transcription is over, with an error if it failed.
func ended(audioID string, resp *imv1.TranscriptResponse) (bool, error) {
	switch resp.GetTranscription().GetStatus() {
	case imv1.TranscriptStatus_TRANSCRIPT_STATUS_COMPLETED:
		return true, nil
	case imv1.TranscriptStatus_TRANSCRIPT_STATUS_FAILED:
		reason := resp.GetStatus().GetDetails()[keyReason]
		if reason == "" && resp.GetStatus().GetCode() != 0 {
			reason = resp.GetStatus().GetMessage()
		}
		return true, &TranscriptError{AudioID: audioID, Reason: reason}
	}
	return false, nil
}

// passing tells whether the failure of a call may be over soon.
func passing(err error) bool {
	if _, refused := errors.AsType[*RefusedError](err); refused {
		return false
	}
	if errors.Is(err, ErrNotConnected) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Unknown:
		return true
	}
	return false
}
