package plugin

import (
	"context"
	"io"
	"time"
)

// Transcriber is the capability to write down what was said in a recording. A node has at most one,
// the plugin whose name is audio.transcriber.
type Transcriber interface {
	// Transcribe returns what is said in a. It is called by as many goroutines as
	// audio.transcription.workers says, never twice at once for one recording, and again for one
	// that a node did not finish before it stopped.
	//
	// ctx ends after audio.transcription.timeout, or when the node stops; Transcribe then returns
	// within seconds. One that does not keeps a worker from everything else, and a node that stops
	// leaves it behind.
	//
	// A refusal by Unavailable, a panic, and every error that is not an *Error are tried again after
	// a while, audio.transcription.attempts times in all. Any other *Error is final, such as one by
	// Refused, and its Reason is what people are told.
	//
	// The text is at most 1 MiB of UTF-8 without NUL; anything else fails the transcript.
	Transcribe(ctx context.Context, a Audio) (Transcript, error)
}

// Audio is a recording that somebody uploaded.
type Audio struct {
	ID       string
	RoomID   string
	UserID   string        // who uploaded it
	Format   string        // as declared, in lower case: opus, mp3, wav
	Size     int64         // bytes
	Duration time.Duration // as declared; 0 when that is not known

	// Open returns the bytes from the first on; the caller closes it. Every call opens it anew. Its
	// error is one that Transcribe may return.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Transcript is what was said.
type Transcript struct {
	Text string // empty when nobody speaks
	// Confidence is how sure the transcriber is, from 0 to 1; 0 when it does not say. What is
	// outside counts as the nearer end.
	Confidence float64
}
