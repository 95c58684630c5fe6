package plugintest

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/game-im/hermod/plugin"
)

// Blobs is a store of recordings and a test that uses it, which fails where the store does not do as it is asked. It is
// for what BlobStore does not check, such as a store whose network is cut.
type Blobs struct {
	T     *testing.T
	Store plugin.BlobStore
}

// Create begins a recording and writes its parts, in as many calls.
func (b Blobs) Create(name string, parts ...string) plugin.BlobWriter {
	b.T.Helper()
	w, err := b.Store.Create(b.T.Context(), name)
	if err != nil {
		b.T.Fatal(err)
	}
	for _, p := range parts {
		if n, err := io.WriteString(w, p); err != nil || n != len(p) {
			b.T.Fatalf("wrote %d of %d: %v", n, len(p), err)
		}
	}
	return w
}

// Commit stores a recording.
func (b Blobs) Commit(name string, parts ...string) {
	b.T.Helper()
	if err := b.Create(name, parts...).Commit(); err != nil {
		b.T.Fatal(err)
	}
}

// Open returns a recording, which is closed when the test ends.
func (b Blobs) Open(name string) io.ReadSeeker {
	b.T.Helper()
	r, err := b.Store.Open(b.T.Context(), name)
	if err != nil {
		b.T.Fatal(err)
	}
	b.T.Cleanup(func() {
		if err := r.Close(); err != nil {
			b.T.Error(err)
		}
	})
	return r
}

// Read returns what a recording is.
func (b Blobs) Read(name string) string {
	b.T.Helper()
	all, err := io.ReadAll(b.Open(name))
	if err != nil {
		b.T.Fatal(err)
	}
	return string(all)
}

// Want fails the test if a recording is something else.
func (b Blobs) Want(name, text string) {
	b.T.Helper()
	if got := b.Read(name); got != text {
		b.T.Errorf("%q: %d bytes, want %d, or others", name, len(got), len(text))
	}
}

// WantAbsent fails the test if there is a recording of that name.
func (b Blobs) WantAbsent(name string) {
	b.T.Helper()
	r, err := b.Store.Open(b.T.Context(), name)
	if err == nil {
		b.T.Fatalf("%q can be opened: %v", name, r.Close())
	}
	if !errors.Is(err, fs.ErrNotExist) {
		b.T.Errorf("%q: %v", name, err)
	}
}

// Names returns the recordings that are older than a moment, in alphabetical order.
func (b Blobs) Names(before time.Time) (names []string) {
	b.T.Helper()
	if err := b.Store.Each(b.T.Context(), before, func(name string) error {
		names = append(names, name)
		return nil
	}); err != nil {
		b.T.Fatal(err)
	}
	slices.Sort(names)
	return names
}
