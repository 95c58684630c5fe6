package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/game-im/hermod/plugin"
)

// S3 is a plugin.BlobStore in a bucket of an S3-compatible service. Nodes may share it. Safe for concurrent use.
//
// A blob is one object, named by the prefix and its own name, and is never changed. Small ones are put in
// one request, larger ones in parts; both appear whole or not at all.
type S3 struct {
	api    minio.Core
	bucket string
	prefix string
	log    *slog.Logger
	failed atomic.Pointer[outage] // nil: the last request was answered
}

// outage is why the service did not do its work, and since when.
type outage struct {
	since time.Time
	err   error
}

// Health says what is wrong with the service, "" when the last request was answered.
func (s *S3) Health() string {
	o := s.failed.Load()
	if o == nil {
		return ""
	}
	return fmt.Sprintf("recordings cannot be stored or fetched since %s: %v", o.since.UTC().Format(time.RFC3339), o.err)
}

// Create implements plugin.BlobStore. The writer holds up to partSize of what was not sent yet.
func (s *S3) Create(ctx context.Context, name string) (plugin.BlobWriter, error) {
	if !valid(name) {
		return nil, fmt.Errorf("blobs: %q cannot be a name", name)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &s3Writer{s3: s, ctx: ctx, key: s.prefix + name}, nil
}

// Open implements plugin.BlobStore. What it returns fetches what is read, and no more than a few hundred kilobytes
// ahead, until ctx ends.
func (s *S3) Open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !valid(name) {
		return nil, notFound(name)
	}
	info, err := s.api.StatObject(ctx, s.bucket, s.prefix+name, minio.StatObjectOptions{})
	if err != nil {
		return nil, s.judge(ctx, name, err)
	}
	s.answered()
	return &s3Reader{s3: s, ctx: ctx, name: name, size: info.Size}, nil
}

// Delete implements plugin.BlobStore.
func (s *S3) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !valid(name) {
		return nil
	}
	err := s.judge(ctx, name, s.api.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{}))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Each implements plugin.BlobStore. Uploads in parts that nobody finished are aborted: they cost money and no
// listing shows them.
func (s *S3) Each(ctx context.Context, before time.Time, f func(name string) error) error {
	ctx, stop := context.WithCancel(ctx) // ends the listing, whose goroutine waits for a reader
	defer stop()
	if err := s.abort(ctx, before); err != nil {
		return err
	}
	for o := range s.api.Client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix}) {
		if o.Err != nil {
			return s.judge(ctx, "", o.Err)
		}
		name := strings.TrimPrefix(o.Key, s.prefix)
		if !valid(name) || !o.LastModified.Before(before) {
			continue
		}
		if err := f(name); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *S3) abort(ctx context.Context, before time.Time) error {
	removed := 0
	for u := range s.api.ListIncompleteUploads(ctx, s.bucket, s.prefix, false) {
		if u.Err != nil {
			return s.judge(ctx, "", u.Err)
		}
		if !valid(strings.TrimPrefix(u.Key, s.prefix)) || !u.Initiated.Before(before) {
			continue
		}
		err := s.judge(ctx, "", s.api.AbortMultipartUpload(ctx, s.bucket, u.Key, u.UploadID))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // another node was faster
			return err
		}
		removed++
	}
	if removed > 0 {
		s.log.InfoContext(ctx, "uploads that a node left unfinished are removed", "uploads", removed)
	}
	return nil
}

// judge turns an error of the service into one for the rules, and remembers whether the service works.
func (s *S3) judge(ctx context.Context, name string, err error) error {
	if err == nil {
		s.answered()
		return nil
	}
	if ctx.Err() != nil { // the caller's end says nothing of the service
		return ctx.Err()
	}
	said := minio.ToErrorResponse(err)
	switch said.Code {
	case minio.NoSuchKey, minio.NoSuchUpload:
		s.answered()
		return notFound(name)
	case "": // no answer of the service at all
		if said.StatusCode == http.StatusNotFound {
			s.answered()
			return notFound(name)
		}
	}
	s.fails(err)
	return unavailable(err)
}

func (s *S3) answered() {
	if o := s.failed.Swap(nil); o != nil {
		s.log.Info("the store of recordings answers again", "bucket", s.bucket)
	}
}

// fails says so once, not for every request.
func (s *S3) fails(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	if s.failed.CompareAndSwap(nil, &outage{time.Now(), err}) {
		s.log.Error("the store of recordings does not do its work", "bucket", s.bucket, "error", err)
	}
}
