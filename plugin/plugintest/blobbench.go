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

// blobBench is a store with a test that uses it.
type blobBench struct {
	t     *testing.T
	blobs plugin.BlobStore
}

func (b blobBench) create(name string, parts ...string) plugin.BlobWriter {
	b.t.Helper()
	w, err := b.blobs.Create(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range parts {
		if n, err := io.WriteString(w, p); err != nil || n != len(p) {
			b.t.Fatalf("wrote %d of %d: %v", n, len(p), err)
		}
	}
	return w
}

func (b blobBench) commit(name string, parts ...string) {
	b.t.Helper()
	if err := b.create(name, parts...).Commit(); err != nil {
		b.t.Fatal(err)
	}
}

func (b blobBench) open(name string) io.ReadSeeker {
	b.t.Helper()
	r, err := b.blobs.Open(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return r
}

func (b blobBench) read(name string) string {
	b.t.Helper()
	all, err := io.ReadAll(b.open(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(all)
}

func (b blobBench) want(name, text string) {
	b.t.Helper()
	if got := b.read(name); got != text {
		b.t.Errorf("%q: %d bytes, want %d, or others", name, len(got), len(text))
	}
}

func (b blobBench) wantAbsent(name string) {
	b.t.Helper()
	r, err := b.blobs.Open(b.t.Context(), name)
	if err == nil {
		b.t.Fatalf("%q can be opened: %v", name, r.Close())
	}
	if !errors.Is(err, fs.ErrNotExist) {
		b.t.Errorf("%q: %v", name, err)
	}
}

func (b blobBench) names(before time.Time) (names []string) {
	b.t.Helper()
	if err := b.blobs.Each(b.t.Context(), before, func(name string) error {
		names = append(names, name)
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(names)
	return names
}
