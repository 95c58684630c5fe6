package biz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/game-im/hermod/plugin"
)

const (
	maxTranscriptBytes = 1 << 20
	maxReasonBytes     = 1 << 10
	// transcriberGrace is how long a transcriber may take to notice that the node stops.
	transcriberGrace = 5 * time.Second
)

// TranscriptOutcome is what became of one attempt to make a transcript.
type TranscriptOutcome uint8

// The outcomes of an attempt.
const (
	TranscriptMade     TranscriptOutcome = iota // the transcript is COMPLETED
	TranscriptRefused                           // it is FAILED
	TranscriptRetried                           // it is tried again after a while
	TranscriptReturned                          // the node stops; it is tried again after that
	TranscriptLost                              // another node has taken it over
)

func (o TranscriptOutcome) String() string {
	return [...]string{"completed", "failed", "retried", "returned", "lost"}[o]
}

// status is what a transcript becomes by an attempt that ends it.
func (o TranscriptOutcome) status() TranscriptStatus {
	if o == TranscriptMade {
		return TranscriptCompleted
	}
	return TranscriptFailed
}

// verdict is what an attempt has come to.
type verdict struct {
	outcome    TranscriptOutcome
	text       string
	confidence float64
	reason     string        // why it failed
	wait       time.Duration // least time until the next attempt
}

func failed(format string, args ...any) verdict {
	return verdict{outcome: TranscriptRefused, reason: cleanReason(fmt.Sprintf(format, args...))}
}

// transcribe makes an attempt, and holds the job's claim as long as it takes.
func (t *Transcripts) transcribe(ctx context.Context, job *TranscriptJob) (v verdict) {
	start := time.Now()
	t.meter.Began()
	defer func() { t.meter.Ended(v.outcome, time.Since(start)) }()
	rules := t.rules.Load()
	if job.Attempts > rules.Attempts {
		// Nobody has lived to say what became of the last attempt.
		return failed("given up after %d attempts, during the last of which the node was interrupted", rules.Attempts)
	}
	answer, ok := t.ask(ctx, job, rules.Timeout)
	switch {
	case !ok:
		return verdict{outcome: TranscriptLost}
	case answer.err == nil:
		return checkTranscript(answer.transcript)
	case ctx.Err() != nil:
		return verdict{outcome: TranscriptReturned}
	}
	return t.judge(job, rules, answer.err)
}

// answer is what a transcriber has said.
type answer struct {
	transcript plugin.Transcript
	err        error
}

// ask calls the transcriber. ok is false when the claim was lost meanwhile.
func (t *Transcripts) ask(ctx context.Context, job *TranscriptJob, timeout time.Duration) (a answer, ok bool) {
	calling, cancel := context.WithTimeoutCause(ctx, timeout, errTooLong)
	defer cancel()
	answered := make(chan answer, 1)
	go t.call(calling, job.Audio, answered)

	renew := time.NewTicker(transcriptLease / 3)
	defer renew.Stop()
	stopping := ctx.Done()
	var enough <-chan time.Time
	for held := true; ; {
		select {
		case a := <-answered:
			if a.err != nil && errors.Is(context.Cause(calling), errTooLong) {
				a.err = errTooLong
			}
			return a, held
		case now := <-renew.C:
			if held = held && t.hold(ctx, job, now); !held {
				cancel()
			}
		case <-stopping:
			stopping, enough = nil, time.After(transcriberGrace)
		case <-enough:
			t.log.Error("the transcriber does not stop and is left behind", "audio", job.Audio.ID)
			return answer{err: ctx.Err()}, held
		}
	}
}

// hold renews a claim and tells whether it is held. While the store does not say, it is.
func (t *Transcripts) hold(ctx context.Context, job *TranscriptJob, now time.Time) bool {
	held, err := t.stores.Queue.Hold(ctx, job, now.Add(transcriptLease))
	return held || err != nil
}

var (
	errTooLong  = errors.New("the transcriber took too long")
	errPanicked = errors.New("the transcriber panicked")
)

// call calls the transcriber, and passes on its answer in any case; a panic there concerns this one
// recording.
func (t *Transcripts) call(ctx context.Context, audio Audio, answered chan<- answer) {
	a := answer{err: errPanicked} // unless it returns
	defer func() {
		if p := recover(); p != nil {
			t.log.Error("panic in the transcriber", "audio", audio.ID, "panic", p, "stack", string(debug.Stack()))
		}
		answered <- a
	}()
	transcript, err := t.chosen.Transcribe(ctx, t.shown(audio))
	a = answer{transcript, err}
}

// shown is a recording as a transcriber sees it.
func (t *Transcripts) shown(audio Audio) plugin.Audio {
	return plugin.Audio{
		ID: string(audio.ID), RoomID: string(audio.Room), UserID: string(audio.User),
		Format: audio.Format, Size: audio.Size, Duration: audio.Duration,
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			blob, err := t.stores.Blobs.Open(ctx, string(audio.ID))
			if KindOf(err) == KindNotFound {
				return nil, plugin.Refused("the recording is not there any more")
			}
			if err != nil {
				return nil, err
			}
			return blob, nil
		},
	}
}

// judge decides what follows from an error of the transcriber's.
func (t *Transcripts) judge(job *TranscriptJob, rules *TranscriptRules, err error) verdict {
	var refused *plugin.Error
	explained := errors.As(err, &refused)
	if explained && refused.Kind != plugin.KindUnavailable {
		t.log.Warn("a transcript is refused", "audio", job.Audio.ID, "error", err)
		return failed("%s", refused.Reason)
	}
	t.log.Warn("an attempt to make a transcript failed", "audio", job.Audio.ID, "attempt", job.Attempts, "error", err)
	switch {
	case job.Attempts < rules.Attempts && explained:
		return verdict{outcome: TranscriptRetried, wait: refused.RetryAfter}
	case job.Attempts < rules.Attempts:
		return verdict{outcome: TranscriptRetried}
	case explained:
		return failed("given up after %d attempts: %s", job.Attempts, refused.Reason)
	case errors.Is(err, errTooLong):
		return failed("given up after %d attempts: the transcriber took longer than %s", job.Attempts, rules.Timeout)
	}
	return failed("given up after %d attempts: the transcriber failed", job.Attempts)
}

// checkTranscript takes nothing that could not be stored and shown.
func checkTranscript(p plugin.Transcript) verdict {
	if len(p.Text) > maxTranscriptBytes {
		return failed("the transcriber returned %d bytes of text; at most %d are allowed", len(p.Text), maxTranscriptBytes)
	}
	if err := checkText("the transcriber's text", p.Text); err != nil {
		return failed("%v", err)
	}
	confidence := min(max(p.Confidence, 0), 1)
	if math.IsNaN(p.Confidence) {
		confidence = 0
	}
	return verdict{outcome: TranscriptMade, text: p.Text, confidence: confidence}
}

// cleanReason makes a text that comes from elsewhere one that can be stored and shown.
func cleanReason(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= maxReasonBytes {
		return s
	}
	cut := maxReasonBytes - len("...")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
