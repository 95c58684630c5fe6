package biz

import (
	"context"
	"time"
)

// TranscriptStatus is how far a transcript has come; the numbers are those of im.v1. It only rises.
type TranscriptStatus int8

// The states of a transcript.
const (
	TranscriptPending    TranscriptStatus = 1
	TranscriptProcessing TranscriptStatus = 2
	TranscriptCompleted  TranscriptStatus = 3
	TranscriptFailed     TranscriptStatus = 4
)

// Transcript is what was said in an upload, or will be.
type Transcript struct {
	Audio      AudioID
	Status     TranscriptStatus
	Text       string
	Confidence float64 // 0 to 1; 0 when unknown
	Reason     string  // why it failed, for people
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// TranscriptRepo keeps transcripts, and is the queue of those that are to be made.
type TranscriptRepo interface {
	// Transcript returns the transcript of an upload, or KindNotFound when nobody asked for one.
	Transcript(ctx context.Context, id AudioID) (Transcript, error)
	// Request makes a pending transcript if there is none, and returns what then is.
	Request(ctx context.Context, id AudioID, at time.Time) (Transcript, error)
	// Claim takes up to limit transcripts that are due at now, makes them PROCESSING and keeps them
	// from other claims until the given time: pending ones, and those whose claim has run out
	// because a node stopped.
	Claim(ctx context.Context, now, until time.Time, limit int) ([]TranscriptJob, error)
	// Postpone makes a claimed transcript due again at the given time.
	Postpone(ctx context.Context, job TranscriptJob, at time.Time) error
	// Finish ends a claimed transcript as COMPLETED or FAILED. It tells whether it did: a transcript
	// that has ended is not changed any more.
	Finish(ctx context.Context, t Transcript) (ended bool, err error)
}

// TranscriptJob is a claimed transcript.
type TranscriptJob struct {
	Audio    Audio
	Attempts int // this one included
}

// Transcripts is what was said in uploads.
type Transcripts struct {
	wake chan struct{}
}

// Wake has Run look for work at once.
func (t *Transcripts) Wake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
