package data

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// Blobs is a biz.Blobs by a plugin, whose errors it makes those of the rules. Safe for concurrent use.
type Blobs struct{ store plugin.BlobStore }

// NewBlobs returns what keeps its blobs in a store that is ready.
func NewBlobs(store plugin.BlobStore) *Blobs { return &Blobs{store} }

// Health says what is wrong with the store, "" when nothing is known to be.
func (b *Blobs) Health() string {
	if r, ok := b.store.(plugin.HealthReporter); ok { // a folder has nothing to say
		return r.Health()
	}
	return ""
}

// Create implements biz.Blobs.
func (b *Blobs) Create(ctx context.Context, name string) (biz.BlobWriter, error) {
	w, err := b.store.Create(ctx, name)
	if err != nil {
		return nil, blobError(name, err)
	}
	return &blobWriter{w, name}, nil
}

// Open implements biz.Blobs.
func (b *Blobs) Open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	r, err := b.store.Open(ctx, name)
	if err != nil {
		return nil, blobError(name, err)
	}
	return &blobReader{r, name}, nil
}

// Delete implements biz.Blobs.
func (b *Blobs) Delete(ctx context.Context, name string) error {
	return blobError(name, b.store.Delete(ctx, name))
}

// Each implements biz.Blobs.
func (b *Blobs) Each(ctx context.Context, before time.Time, f func(name string) error) error {
	var its error
	err := b.store.Each(ctx, before, func(name string) error {
		its = f(name)
		return its
	})
	if its != nil && errors.Is(err, its) {
		return its
	}
	return blobError("", err)
}

type blobWriter struct {
	plugin.BlobWriter
	name string
}

func (w *blobWriter) Write(p []byte) (int, error) {
	n, err := w.BlobWriter.Write(p)
	return n, blobError(w.name, err)
}

func (w *blobWriter) Commit() error { return blobError(w.name, w.BlobWriter.Commit()) }

type blobReader struct {
	io.ReadSeekCloser
	name string
}

func (r *blobReader) Read(p []byte) (int, error) {
	n, err := r.ReadSeekCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // whoever wraps the end of a file does not end it
		err = blobError(r.name, err)
	}
	return n, err
}

// blobError makes an error of a store one of the rules.
func blobError(name string, err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return biz.Errorf(biz.KindNotFound, "BLOB_NOT_FOUND", "there is no blob %q", name)
	}
	return biz.Errorf(biz.KindUnavailable, "STORE_UNAVAILABLE", "the store cannot do it now").Because(err)
}
