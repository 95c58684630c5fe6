package plugin

import (
	"context"
	"io"
	"time"
)

// BlobStore is the capability to keep the bytes of recordings. A node has one, the plugin whose name is
// data.blobs.store; nodes of one cluster share what it keeps.
//
// Names are 1 to 128 letters, digits and dashes of ASCII. Any other is refused by Create, unknown to Open and
// nothing to Delete, whatever it looks like: a name leads nowhere but into the store.
//
// An error that wraps fs.ErrNotExist says that there is no such blob, and one that wraps ctx.Err() that the
// caller has gone. Every other error is that of a store that does not work now: it is logged as such,
// and the client may try again.
type BlobStore interface {
	// Create begins a blob. Nothing can be opened under its name before Commit has returned nil. ctx is that
	// of the whole upload: a writer may fail when it has ended, other than in Discard.
	Create(ctx context.Context, name string) (BlobWriter, error)
	// Open returns a blob for reading from anywhere in it. A part is read without the whole being fetched.
	// ctx is that of the whole reading. It is used by one goroutine at a time.
	Open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	// Delete removes a blob. It is no error when there is none.
	Delete(ctx context.Context, name string) error
	// Each calls f with the name of every blob that was committed before a time, until f fails, whose error
	// it returns; f may delete what it is called with. It also removes what was begun, perhaps by a node
	// that is no more, and not written to since then.
	Each(ctx context.Context, before time.Time, f func(name string) error) error
}

// BlobWriter takes the bytes of a new blob, from one goroutine at a time. Exactly one of Commit and
// Discard ends it; a Commit that fails leaves nothing behind.
type BlobWriter interface {
	io.Writer
	// Commit makes the blob last, also if the machine loses power the moment after.
	Commit() error
	// Discard leaves nothing behind, also when the context of Create has ended.
	Discard() error
}

// HealthReporter is the capability of what stands for a part of the node, such as a BlobStore, to say how
// it is.
type HealthReporter interface {
	// Health says what is wrong, for /readyz, "" when nothing is. It returns at once.
	Health() string
}
