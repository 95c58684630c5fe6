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
type Blobs struct {
	store   plugin.BlobStore
	metrics *blobMetrics
}

// NewBlobs returns what keeps its blobs in a store that is ready.
func NewBlobs(store plugin.BlobStore) *Blobs { return &Blobs{store, newBlobMetrics()} }

// Health says what is wrong with the store, "" when nothing is known to be.
func (b *Blobs) Health() string {
	if r, ok := b.store.(plugin.HealthReporter); ok { // a folder has nothing to say
		return r.Health()
	}
	return ""
}

// Create implements biz.Blobs.
func (b *Blobs) Create(ctx context.Context, name string) (biz.BlobWriter, error) {
	w := &blobWriter{name: name, work: b.metrics.begin(ctx, "store")}
	err := w.work.do(func() (err error) {
		w.BlobWriter, err = b.store.Create(ctx, name)
		return blobError(name, err)
	})
	if err != nil {
		w.work.end()
		return nil, err
	}
	return w, nil
}

// Open implements biz.Blobs.
func (b *Blobs) Open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	r := &blobReader{name: name, work: b.metrics.begin(ctx, "fetch")}
	err := r.work.do(func() (err error) {
		r.ReadSeekCloser, err = b.store.Open(ctx, name)
		return blobError(name, err)
	})
	if err != nil {
		r.work.end()
		return nil, err
	}
	return r, nil
}

// Delete implements biz.Blobs.
func (b *Blobs) Delete(ctx context.Context, name string) error {
	work := b.metrics.begin(ctx, "delete")
	defer work.end()
	return work.do(func() error { return blobError(name, b.store.Delete(ctx, name)) })
}

// Each implements biz.Blobs.
func (b *Blobs) Each(ctx context.Context, before time.Time, f func(name string) error) error {
	work := b.metrics.begin(ctx, "list")
	defer work.end()
	var its error
	err := work.do(func() error {
		err := b.store.Each(ctx, before, func(name string) error {
			its = work.without(func() error { return f(name) })
			return its
		})
		if its != nil && errors.Is(err, its) {
			return nil
		}
		its = nil
		return blobError("", err)
	})
	if its != nil {
		return its
	}
	return err
}

type blobWriter struct {
	plugin.BlobWriter
	name string
	work *blobWork
}

func (w *blobWriter) Write(p []byte) (n int, err error) {
	err = w.work.do(func() error {
		n, err = w.BlobWriter.Write(p)
		return blobError(w.name, err)
	})
	return n, err
}

func (w *blobWriter) Commit() error {
	defer w.work.end()
	return w.work.do(func() error { return blobError(w.name, w.BlobWriter.Commit()) })
}

func (w *blobWriter) Discard() error {
	defer w.work.end()
	return w.BlobWriter.Discard()
}

type blobReader struct {
	io.ReadSeekCloser
	name string
	work *blobWork
}

func (r *blobReader) Read(p []byte) (n int, err error) {
	err = r.work.do(func() error {
		n, err = r.ReadSeekCloser.Read(p)
		if err != nil && err != io.EOF { //nolint:errorlint // whoever wraps the end of a file does not end it
			err = blobError(r.name, err)
		}
		return err
	})
	return n, err
}

func (r *blobReader) Close() error {
	defer r.work.end()
	return r.ReadSeekCloser.Close()
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
