package biz

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/plugin"
)

// TranscriptStores are the repositories that transcripts need, and where they are shown.
type TranscriptStores struct {
	Transcripts TranscriptRepo
	Queue       TranscriptQueue
	Audios      AudioRepo
	Blobs       Blobs
	Rooms       RoomRepo
	Members     MemberRepo
	Heard       *Revisions // what shows transcripts in messages; nil: nothing
}

// TranscriptRules are the node's settings for transcripts.
type TranscriptRules struct {
	Workers  int           // transcripts that are made at once
	Timeout  time.Duration // of one attempt
	Attempts int           // how often one is tried
	Backoff  time.Duration // about how long the second attempt waits; each further one twice as long
}

// TranscriptMeter counts attempts to make a transcript. It is called by many goroutines at once.
type TranscriptMeter interface {
	Began()
	Ended(outcome TranscriptOutcome, took time.Duration)
}

// EventEncoder turns what the node tells a room into the content of a SYSTEM message. It gives the
// same bytes for the same event.
type EventEncoder func(Event) ([]byte, error)

// Transcripts is what was said in uploads. Its methods may be called by any number of goroutines;
// Run does the work, on as many nodes as share the store.
type Transcripts struct {
	stores   TranscriptStores
	chosen   plugin.Transcriber
	messages *Messages
	encode   EventEncoder
	rules    atomic.Pointer[TranscriptRules]
	meter    TranscriptMeter
	log      *slog.Logger
	wake     chan struct{}
}

// NewTranscripts returns the use cases of transcripts, which chosen makes; rooms are told of them
// through messages.
func NewTranscripts(
	stores TranscriptStores, chosen plugin.Transcriber, messages *Messages, encode EventEncoder,
	rules TranscriptRules, meter TranscriptMeter, log *slog.Logger,
) *Transcripts {
	t := &Transcripts{
		stores: stores, chosen: chosen, messages: messages, encode: encode,
		meter: meter, log: log, wake: make(chan struct{}, 1),
	}
	t.SetRules(rules)
	return t
}

// SetRules replaces the rules, for attempts that begin from then on. More workers begin at once; with
// fewer, those that are one too many end with what they do.
func (t *Transcripts) SetRules(rules TranscriptRules) {
	t.rules.Store(&rules)
	t.Wake()
}

// Wake has Run look for work at once, if it runs.
func (t *Transcripts) Wake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Of returns the transcript of an upload to a member of its room, to a service, or to a trusted
// caller who speaks for nobody. If nobody has asked for it yet, it is begun, and PENDING.
func (t *Transcripts) Of(ctx context.Context, by Identity, id AudioID, named UserID) (Transcript, error) {
	who, err := readerOf(by, named)
	if err != nil {
		return Transcript{}, err
	}
	if err := checkID("audio_id", string(id)); err != nil {
		return Transcript{}, err
	}
	audio, err := t.stores.Audios.Audio(ctx, id)
	if err != nil {
		return Transcript{}, err
	}
	if err := who.mayRead(ctx, t.stores.Rooms, t.stores.Members, audio.Room); err != nil {
		return Transcript{}, err
	}
	known, err := t.stores.Transcripts.Transcript(ctx, id)
	if err == nil || KindOf(err) != KindNotFound {
		return known, err
	}
	begun, err := t.stores.Transcripts.Request(ctx, id, time.Now())
	t.Wake()
	return begun, err
}
