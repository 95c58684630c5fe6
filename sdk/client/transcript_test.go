package client

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type transcriptHandler func(*imv1.TranscriptRequest) (*imv1.TranscriptResponse, error)

func (p *peer) onTranscript(f transcriptHandler) { p.transcript.Store(&f) }

func (p *peer) GetAudioTranscript(_ context.Context, req *imv1.TranscriptRequest) (*imv1.TranscriptResponse, error) {
	return (*p.transcript.Load())(req)
}

// quick is polling that tests have the time for.
var quick = polling{first: time.Millisecond, longest: 5 * time.Millisecond, outage: patience}

func transcriptOf(st imv1.TranscriptStatus, text string) *imv1.TranscriptResponse {
	return &imv1.TranscriptResponse{
		Status:        &imv1.ResponseStatus{},
		Transcription: &imv1.Transcription{AudioId: "audio-1", Status: st, Text: text, Confidence: 0.9},
	}
}

// answers has the peer give them one after another, the last one for ever.
func (p *peer) answers(answers ...any) {
	var next atomic.Int64
	p.onTranscript(func(*imv1.TranscriptRequest) (*imv1.TranscriptResponse, error) {
		answer := answers[min(int(next.Add(1)), len(answers))-1]
		if err, failed := answer.(error); failed {
			return nil, err
		}
		return answer.(*imv1.TranscriptResponse), nil
	})
}

func TestWaitTranscript(t *testing.T) {
	t.Parallel()
	pending := transcriptOf(imv1.TranscriptStatus_TRANSCRIPT_STATUS_PENDING, "")
	working := transcriptOf(imv1.TranscriptStatus_TRANSCRIPT_STATUS_PROCESSING, "")
	done := transcriptOf(imv1.TranscriptStatus_TRANSCRIPT_STATUS_COMPLETED, "hello")
	failed := transcriptOf(imv1.TranscriptStatus_TRANSCRIPT_STATUS_FAILED, "")
	failed.Status.Details = map[string]string{"reason": "nobody speaks"}
	refused := &imv1.TranscriptResponse{Status: &imv1.ResponseStatus{Code: 5, Message: "no", Details: map[string]string{"reason": "NOT_A_MEMBER"}}}
	away := status.Error(codes.Unavailable, "restarting")
	tests := []struct {
		name    string
		answers []any
		check   func(*imv1.Transcription, error) bool
	}{
		{"completed", []any{pending, pending, working, done}, func(got *imv1.Transcription, err error) bool {
			return err == nil && got.GetText() == "hello"
		}},
		{"an outage between", []any{pending, away, away, status.Error(codes.ResourceExhausted, "later"), done}, func(got *imv1.Transcription, err error) bool {
			return err == nil && got.GetText() == "hello"
		}},
		{"failed", []any{working, failed}, func(got *imv1.Transcription, err error) bool {
			failure, ok := errors.AsType[*TranscriptError](err)
			return ok && failure.Reason == "nobody speaks" && failure.AudioID == "audio-1" && got.GetAudioId() == "audio-1" && strings.Contains(err.Error(), "nobody speaks")
		}},
		{"unknown", []any{status.Error(codes.NotFound, "no such audio")}, func(_ *imv1.Transcription, err error) bool {
			return status.Code(err) == codes.NotFound
		}},
		{"refused", []any{refused}, func(_ *imv1.Transcription, err error) bool { return Reason(err) == "NOT_A_MEMBER" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			p.answers(tt.answers...)
			cfg, _ := p.config()
			c, _ := p.connect(t, cfg)
			if got, err := c.waitTranscript(t.Context(), "audio-1", quick); !tt.check(got, err) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestGetAudioTranscript(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.onTranscript(func(req *imv1.TranscriptRequest) (*imv1.TranscriptResponse, error) {
		return transcriptOf(imv1.TranscriptStatus_TRANSCRIPT_STATUS_PENDING, req.GetUserId()+" "+req.GetAudioId()), nil
	})
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	resp, err := c.GetAudioTranscript(t.Context(), "audio-1")
	if err != nil || resp.GetTranscription().GetText() != "alice audio-1" {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestWaitTranscriptSurvivesAReconnect(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	asked := make(chan struct{}, 1024)
	pending, done := transcriptOf(imv1.TranscriptStatus_TRANSCRIPT_STATUS_PENDING, ""), transcriptOf(imv1.TranscriptStatus_TRANSCRIPT_STATUS_COMPLETED, "hello")
	p.onTranscript(func(*imv1.TranscriptRequest) (*imv1.TranscriptResponse, error) {
		asked <- struct{}{}
		return pending, nil
	})
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	result := make(chan error, 1)
	go func() {
		_, err := c.waitTranscript(t.Context(), "audio-1", quick)
		result <- err
	}()
	wait(t, asked, "a question")
	ps.end(errLost)
	wait(t, ev.disconnects, "OnDisconnect")
	ps = p.next(t)
	p.onTranscript(func(*imv1.TranscriptRequest) (*imv1.TranscriptResponse, error) { return done, nil })
	ps.accept(t, "s1", true)
	if err := wait(t, result, "WaitTranscript"); err != nil {
		t.Errorf("WaitTranscript: %v", err)
	}
}

func TestWaitTranscriptEnds(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connect(t, cfg)
	p.answers(transcriptOf(imv1.TranscriptStatus_TRANSCRIPT_STATUS_PENDING, ""))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.waitTranscript(ctx, "audio-1", quick); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with its context: %v", err)
	}
	p.answers(status.Error(codes.Unavailable, "down"))
	if _, err := c.waitTranscript(t.Context(), "audio-1", polling{first: time.Millisecond, longest: time.Millisecond, outage: 20 * time.Millisecond}); status.Code(err) != codes.Unavailable {
		t.Errorf("after a long outage: %v", err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := c.waitTranscript(t.Context(), "audio-1", polling{first: time.Hour, longest: time.Hour, outage: time.Hour})
		result <- err
	}()
	p.disconnect(t, c)
	if err := wait(t, result, "WaitTranscript"); !errors.Is(err, ErrDisconnected) && !errors.Is(err, ErrNotConnected) {
		t.Errorf("after Disconnect: %v", err)
	}
	if _, err := c.WaitTranscript(t.Context(), "audio-1"); !errors.Is(err, ErrNotConnected) {
		t.Errorf("without a connection: %v", err)
	}
}
