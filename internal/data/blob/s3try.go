package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"

	"github.com/minio/minio-go/v7"
)

// S3Fault is why a bucket cannot be used.
type S3Fault struct {
	// Code is S3's word for it, such as NoSuchBucket; empty when the service did not answer at all.
	Code string
	Err  error
}

func (f *S3Fault) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *S3Fault) Unwrap() error { return f.Err }

// TryS3 stores a small object in the bucket, looks for it and deletes it again. No store takes its name for that of a
// blob. What the service does not do is an *S3Fault; other errors are of the options.
func TryS3(ctx context.Context, o S3Options) error {
	s, err := newS3(o, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	key, said := s.prefix+".hermodctl-"+rand.Text(), []byte("hermodctl doctor was here")
	_, err = s.api.PutObject(ctx, s.bucket, key, bytes.NewReader(said), int64(len(said)), "", "", minio.PutObjectOptions{})
	if err != nil {
		return s3Fault(err)
	}
	_, err = s.api.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return s3Fault(errors.Join(err, s.api.RemoveObject(undo, s.bucket, key, minio.RemoveObjectOptions{})))
}

func s3Fault(err error) error {
	if err == nil {
		return nil
	}
	fault := &S3Fault{Err: err}
	if said, ok := errors.AsType[minio.ErrorResponse](err); ok {
		fault.Code = said.Code
	}
	return fault
}
