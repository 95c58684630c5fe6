package biz

import (
	"context"
	"io"
	"time"

	"github.com/game-im/hermod/plugin"
)

// AudioID names an upload; the node gives it out.
type AudioID string

// Audio is a recording that was uploaded whole. Its bytes are never changed.
type Audio struct {
	ID        AudioID
	Room      RoomID
	User      UserID        // who uploaded it
	Format    string        // in lower case, one of the formats that the node takes
	Size      int64         // bytes
	Duration  time.Duration // 0 when it is not known
	Measured  bool          // Duration is what the file has; otherwise it is as its uploader says
	Waveform  string        // a byte for each of 64 equal parts, its loudness; empty where it is not known, or not yet
	CreatedAt time.Time
}

// AudioDraft is what somebody says of a recording before its bytes come.
type AudioDraft struct {
	Room    RoomID
	User    UserID  // empty: the caller's own
	Format  string  // in any case
	Size    int64   // bytes, exactly
	Seconds float64 // 0: not known
}

// AudioSource is an upload as it arrives. Both methods return soon after ctx has ended.
type AudioSource interface {
	// Draft returns what comes first.
	Draft(ctx context.Context) (AudioDraft, error)
	// Next returns the bytes that follow, which are valid until it is called again, and io.EOF
	// after the last.
	Next(ctx context.Context) ([]byte, error)
}

// AudioRepo keeps what is known of uploads; their bytes are in Blobs.
type AudioRepo interface {
	// Add keeps a finished upload and, when transcribe is set, a transcript of it that is pending:
	// both or neither.
	Add(ctx context.Context, a Audio, transcribe bool) error
	// Audio returns an upload, or KindNotFound.
	Audio(ctx context.Context, id AudioID) (Audio, error)
}

// AudioUpkeep is what a repository of uploads does beside keeping them.
type AudioUpkeep interface {
	// SetWaveform keeps that of an upload. It is no error when there is none any more.
	SetWaveform(ctx context.Context, id AudioID, waveform string) error
	// Missing returns those of some ids that no upload has.
	Missing(ctx context.Context, ids []AudioID) ([]AudioID, error)
	// Release ends what the message of a room with this seq refers to. An upload that nothing refers to
	// any more is deleted with its transcript.
	Release(ctx context.Context, room RoomID, seq int64) error
	// Waste returns deleted uploads whose blobs are still to be deleted, up to a limit.
	Waste(ctx context.Context, limit int) ([]AudioID, error)
	// Cleared forgets waste, whose blobs are gone.
	Cleared(ctx context.Context, ids []AudioID) error
}

// AudioStores are where uploads are kept, and who reads what they are.
type AudioStores struct {
	Audios    AudioRepo
	Upkeep    AudioUpkeep
	Blobs     Blobs
	Inspector AudioInspector
}

// Blobs keeps bytes under names. Names are AudioIDs or alike: letters, digits and dashes.
type Blobs interface {
	// Create begins a blob. Nothing can be opened under its name before Commit has returned nil.
	Create(ctx context.Context, name string) (BlobWriter, error)
	// Open returns a blob for reading, or KindNotFound.
	Open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	// Delete removes a blob. It is no error when there is none.
	Delete(ctx context.Context, name string) error
	// Each calls f with the name of every blob that was committed before a time, until f fails, and
	// removes what was begun and not written to since then.
	Each(ctx context.Context, before time.Time, f func(name string) error) error
}

// BlobWriter takes the bytes of a new blob.
type BlobWriter = plugin.BlobWriter

// AudioFacts is what the bytes of a recording say of it.
type AudioFacts struct {
	Format   string        // empty: none that is recognised
	Names    []string      // what clients may call the format, itself among them
	Duration time.Duration // 0: not known
}

// AudioInspector reads what a recording is. Both methods return soon after ctx has ended, and their errors
// are of reading: what is wrong with a file makes its facts fewer.
type AudioInspector interface {
	// Inspect tells what a file of size bytes is.
	Inspect(ctx context.Context, r io.ReadSeeker, size int64) (AudioFacts, error)
	// Waveform returns the loudness of 64 equal parts from 0 to 255, nil where it cannot be told.
	Waveform(ctx context.Context, r io.ReadSeeker, size int64, facts AudioFacts) ([]byte, error)
}

// Waker is told that there is a transcript to be made.
type Waker interface {
	// Wake returns at once.
	Wake()
}

// AudioRules are the node's settings for uploads.
type AudioRules struct {
	MaxBytes          int64
	Formats           []string // in lower case
	MaxUploads        int      // at the same time
	MaxUploadsPerUser int
	IdleTimeout       time.Duration // without a byte from the sender
	UploadTimeout     time.Duration // for an upload as a whole
	URLs              AudioURLRules
}

// ErrAudioNotFound is what repositories answer for an upload that does not exist.
func ErrAudioNotFound(id AudioID) *Error {
	return Errorf(KindNotFound, "AUDIO_NOT_FOUND", "audio %s does not exist", quote(string(id)))
}
