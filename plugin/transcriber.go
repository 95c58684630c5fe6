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
	// ctx ends at audio.transcription.timeout, or when the node stops; Transcribe then returns soon.
	// A refusal by Unavailable, and every error that is not an *Error, is tried again after a while;
	// any other *Error is final, and its Reason is what people are told.
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

	// Open returns the bytes from the first on; the caller closes it. Every call opens it anew.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Transcript is what was said.
type Transcript struct {
	Text string // UTF-8; empty when nobody speaks
	// Confidence is how sure the transcriber is, from 0 to 1; 0 when it does not say.
	Confidence float64
}
