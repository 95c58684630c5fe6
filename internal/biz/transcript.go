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

// Ended tells whether a transcript of that status will never change again.
func (s TranscriptStatus) Ended() bool { return s >= TranscriptCompleted }

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

// TranscriptRepo keeps transcripts.
type TranscriptRepo interface {
	// Transcript returns the transcript of an upload, or KindNotFound when nobody asked for one.
	Transcript(ctx context.Context, id AudioID) (Transcript, error)
	// Request makes a pending transcript, due at once, if there is none, and returns what then is; KindNotFound, if
	// the upload is gone.
	Request(ctx context.Context, id AudioID, at time.Time) (Transcript, error)
}

// TranscriptQueue hands out transcripts that something is to be done for: first they are made, then
// their rooms are told. Several nodes may take from one queue.
//
// A claim keeps others away until a time, so that what a node leaves behind when it is killed comes
// back. Every method but Claim answers false, and changes nothing, when the claim is not held any
// more: it ran out and somebody else has it.
type TranscriptQueue interface {
	// Claim takes up to limit transcripts that are due at now, the longest due first, until the
	// given time. A PENDING one becomes PROCESSING; each claim of one that has not ended counts as
	// an attempt.
	Claim(ctx context.Context, now, until time.Time, limit int) ([]TranscriptJob, error)
	// Hold makes a claim last until another time, and notes that in job.
	Hold(ctx context.Context, job *TranscriptJob, until time.Time) (held bool, err error)
	// Release gives a claim up: the transcript is due again at the given time, after job.Attempts
	// attempts.
	Release(ctx context.Context, job TranscriptJob, at time.Time) (held bool, err error)
	// Finish ends a transcript that is PROCESSING as job.Transcript says, COMPLETED or FAILED, at
	// its UpdatedAt. The claim stays, since the room is to be told.
	Finish(ctx context.Context, job TranscriptJob) (held bool, err error)
	// Settle takes a transcript that has ended out of the queue for good.
	Settle(ctx context.Context, job TranscriptJob) (held bool, err error)
}

// TranscriptJob is a claimed transcript.
type TranscriptJob struct {
	Audio      Audio
	Transcript Transcript
	Attempts   int       // this one included
	Until      time.Time // when the claim runs out; it tells one claim from another
}
