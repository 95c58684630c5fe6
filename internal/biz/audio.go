package biz

import (
	"context"
	"io"
	"time"
)

// AudioID names an upload; the node gives it out.
type AudioID string

// Audio is a recording that was uploaded whole. It is never changed.
type Audio struct {
	ID        AudioID
	Room      RoomID
	User      UserID        // who uploaded it
	Format    string        // in lower case, one of the formats that the node takes
	Size      int64         // bytes
	Duration  time.Duration // as its uploader says; 0 when he does not
	CreatedAt time.Time
}

// AudioRepo keeps what is known of uploads; their bytes are in Blobs.
type AudioRepo interface {
	// Add keeps a finished upload and, when transcribe is set, a transcript of it that is pending:
	// both or neither.
	Add(ctx context.Context, a Audio, transcribe bool) error
	// Audio returns an upload, or KindNotFound.
	Audio(ctx context.Context, id AudioID) (Audio, error)
}

// Blobs keeps bytes under names. Names are AudioIDs or alike: letters, digits and dashes.
type Blobs interface {
	// Create begins a blob. Nothing can be opened under its name before Commit has returned nil.
	Create(ctx context.Context, name string) (BlobWriter, error)
	// Open returns a blob for reading, or KindNotFound.
	Open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	// Delete removes a blob. It is no error when there is none.
	Delete(ctx context.Context, name string) error
}

// BlobWriter takes the bytes of a new blob. Exactly one of Commit and Discard ends it.
type BlobWriter interface {
	io.Writer
	// Commit makes the blob last, as a commit of the store does.
	Commit() error
	// Discard leaves nothing behind.
	Discard() error
}
